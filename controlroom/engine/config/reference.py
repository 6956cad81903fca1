"""The config as its users look it up: every setting with its default and its meaning."""

import tomli_w

from controlroom.engine.config.settings import SINGLE, TABLES, ConfigFile, Table


def reference() -> str:
    """Give config.toml with every setting commented out at its default, each with its meaning."""
    lines = [
        "# Control Room's config. What is commented out is the default; address and credential have none.",
        "# NAME is yours to choose. The engine reads this file when it starts: after a change, `controlroom stop`",
        "# (agents live on), and whatever you do next starts it. The screen reads theme, bell and keys when it opens.",
        "",
    ]
    for name, field in ConfigFile.model_fields.items():
        if name not in TABLES and name != "keys":
            lines += [f"# {field.description}", f"# {name} = {_toml(field.default)}", ""]
    for name, table in TABLES.items():
        lines += [f"# {ConfigFile.model_fields[name].description}", f"# [{name}{'' if name in SINGLE else '.NAME'}]"]
        lines += [line for key in table.model_fields for line in _setting(table, key)] + [""]
    lines += [f"# {ConfigFile.model_fields['keys'].description}", "# [keys]", '# kill = "x"', ""]
    return "\n".join(lines)


def _setting(table: type[Table], key: str) -> list[str]:
    field = table.model_fields[key]
    secret = '"plan"' if key == "credential" else '{ file = "…" }'
    default = '"…"' if field.is_required() else secret if field.default is None else _toml(field.default)
    return [f"#   {field.description}", f"# {key} = {default}"]


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Table):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in value.model_dump().items())} }}"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip() if value != {} else "{}"
