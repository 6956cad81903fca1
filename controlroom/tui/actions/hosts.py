"""Actions on hosts: add, remove, try again, and take over from another control room."""

from controlroom.domain import intents
from controlroom.domain.claims import deaf_words
from controlroom.tui.actions.orders import order
from controlroom.tui.context import ContextApp
from controlroom.tui.screens.base import RoomScreen


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
