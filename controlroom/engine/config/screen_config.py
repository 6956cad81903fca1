"""The settings of the screen, read before there is an engine. Loads fast: it imports nothing that checks the rest."""

from controlroom.domain.display.layout import ScreenSettings
from controlroom.engine.config.toml_file import ConfigProblem, parsed
from controlroom.protocol.home import Home


def screen_settings(home: Home) -> ScreenSettings:
    """Read what the room's config says about the screen. What is wrong with it stands in the answer."""
    bare = ScreenSettings(home.themes, home.screen, source=str(home.config))
    try:
        whole = parsed(home.config)
        theme, keys, bell = whole.get("theme", ""), whole.get("keys"), whole.get("bell", True)
        if not isinstance(theme, str):
            raise ConfigProblem(f'{home.config}: theme: found {ascii(theme)[:40]}, expected a name, like "dusk"')
        if not (keys is None or isinstance(keys, dict)):
            raise ConfigProblem(f"{home.config}: keys: found {ascii(keys)[:40]}, expected a table [keys]")
        if not isinstance(bell, bool):
            raise ConfigProblem(f"{home.config}: bell: found {ascii(bell)[:40]}, expected true or false")
    except ConfigProblem as problem:
        return ScreenSettings(home.themes, home.screen, source=str(home.config), problem=str(problem))
    return ScreenSettings(bare.themes, bare.memory, theme, keys, bell, bare.source)
