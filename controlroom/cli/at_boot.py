"""`engine --install` and `engine --uninstall`: whether this machine starts the engine by itself."""

import asyncio
import os

from controlroom.cli import output
from controlroom.cli.entry_points import AtBoot, EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.stopping import stopped

PATIENCE = 20.0
"""Seconds that a service manager may take until the engine listens."""


def install(entry_points: EntryPoints) -> int:
    """Have this machine start the engine, and hand over to it now where that can be done."""
    boot = entry_points.at_boot()
    _told(boot.install())
    asyncio.run(_hand_over(boot))
    if os.environ.get("SSH_AUTH_SOCK"):
        output.talk(
            "keys that only your ssh-agent holds are gone after a reboot: give hosts a key file without a passphrase"
        )
    output.data(boot.how())
    return Exit.DONE


def uninstall(entry_points: EntryPoints) -> int:
    """Have this machine start the engine no more."""
    _told(entry_points.at_boot().uninstall())
    output.talk("an engine that runs now goes on until: controlroom stop")
    return Exit.DONE


def _told(result: tuple[bool, list[str]]) -> None:
    well, says = result
    for sentence in says:
        output.talk(sentence)
    if not well:
        raise Stop(Exit.REFUSED)


async def _hand_over(boot: AtBoot) -> None:
    """See that the engine runs; under systemd as its unit, for one begun at a login may end with that login."""
    from controlroom.client.client import Client, EngineUnavailable

    if boot.how() == "systemd":
        if await stopped():
            output.talk("the engine that ran has stopped, to be started by systemd; agents live on")
        _told(boot.start())
        await _listening()
        output.talk("the engine runs, as a unit of systemd")
        return
    try:
        client = await Client.connect(role="cli")
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    await client.close()
    output.talk("the engine runs, begun from here; from the next boot on cron begins it")


async def _listening() -> None:
    from controlroom.client.client import Client, EngineUnavailable, NoEngine

    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await (await Client.connect(start=False, role="cli")).close()
        except NoEngine as none:
            if asyncio.get_running_loop().time() > end:
                words = "systemd does not bring the engine up: journalctl --user -e shows why"
                raise Stop(Exit.NO_ENGINE, words) from none
            await asyncio.sleep(0.1)
        except EngineUnavailable as problem:
            raise Stop(Exit.NO_ENGINE, str(problem)) from None
