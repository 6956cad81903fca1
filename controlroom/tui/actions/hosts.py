"""Actions on hosts: add, remove, try again, take over from another control room, drain and empty."""

from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.alarms import LOAD
from controlroom.domain.claims import deaf_words
from controlroom.domain.tasks import Drain
from controlroom.tui.actions.orders import order
from controlroom.tui.context import ContextApp
from controlroom.tui.screens.base import RoomScreen, say


def add(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in the address of another host."""
    from controlroom.tui.screens.forms import HostForm

    app.push_screen(HostForm())


def remove(app: ContextApp, screen: RoomScreen) -> None:
    """Stop looking at a host, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    if name := screen.host_here():
        text = "Its agents live on; this room no longer looks at them."
        app.push_screen(ConfirmSheet(f"Take {name} out of the room?", text, "remove", intents.RemoveHost(name)))


def retry(app: ContextApp, screen: RoomScreen) -> None:
    """Try to reach a host now."""
    if name := screen.host_here():
        order(app, intents.RetryHost(name), f"trying {name}")


def take(app: ContextApp, screen: RoomScreen) -> None:
    """Become the owner of a host that another control room owns, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    if name := screen.host_here():
        deaf = deaf_words(app.context.fleet.agents_on(name))
        text = f"Another control room owns it and can then only look. Its agents work on. {deaf}".strip()
        done = f"this room owns {name} now" + (f"; {deaf}" if deaf else "")
        title = f"Take {name} for this control room?"
        app.push_screen(ConfirmSheet(title, text, "take", intents.TakeHost(name), done))


def drain(app: ContextApp, screen: RoomScreen) -> None:
    """Have a host take nothing new, after a confirmation; one that is drained takes work again."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    name = screen.host_here()
    host = app.context.fleet.hosts.get(name) if name else None
    if host is None:
        return
    if host.drain is not None:
        order(app, intents.UndrainHost(host.name), f"{host.name} takes work again")
        return
    text = "Nothing new starts there until you press the key again. What runs there ends by itself."
    done = f"{host.name} takes nothing new"
    app.push_screen(ConfirmSheet(f"Drain {host.name}?", text, "drain", intents.DrainHost(host.name), done))


def empty(app: ContextApp, screen: RoomScreen) -> None:
    """Have what is at work on a host go on elsewhere, or a drain that stands still go on, after a confirmation."""
    from controlroom.domain.display.drains import progress_words
    from controlroom.tui.screens.dialogs import ConfirmSheet

    fleet, name = app.context.fleet, screen.host_here()
    host = fleet.hosts.get(name) if name else None
    if host is None:
        return
    if host.drain is not None and host.drain.failed:
        failed = "; ".join(f"{agent}: {why}" for agent, why in host.drain.failed.items())
        text = f"What did not arrive is tried again: {failed}"
        go_on, done = intents.ContinueDrain(host.name), f"the drain of {host.name} goes on"
        app.push_screen(ConfirmSheet(f"Go on with the drain of {host.name}?", text, "go on", go_on, done))
        return
    drain = host.drain or Drain("", 0)
    meant = replace(host, drain=replace(drain, move=True))
    text = f"It takes nothing new, and its agents go on elsewhere, {drain.batch} at a time, as other hosts have room. "
    text += progress_words(fleet, meant, screen.view.now)
    wish, done = intents.DrainHost(host.name, drain.reason, move=True), f"{host.name} is being emptied"
    app.push_screen(ConfirmSheet(f"Empty {host.name}?", text.strip(), "empty", wish, done))


def relieve(app: ContextApp, screen: RoomScreen) -> None:
    """Have agents of a full or busy host go on elsewhere, as advice says, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    name = screen.host_here()
    alarm = app.context.fleet.alarms.get(f"{LOAD}{name}")
    if name is None:
        return
    if alarm is None:
        say(app, f"{name} needs no relief: it has not been too full or too busy for half an hour")
        return
    app.push_screen(ConfirmSheet(f"Relieve {name}?", alarm.text, "relieve", intents.RelieveHost(name)))
