"""Sends one message: `python -m controlroom.engine.notify.send`, the message as one JSON object on stdin.

A process of its own, because `apprise` knows a hundred services and weighs as much, and because sending may hang. An
address of http(s) gets the message as JSON by POST and needs nothing more installed.
"""

import html
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

WAIT = 20.0
"""Seconds for a server to answer."""

_MOST = 1024 * 1024
_NOTIFICATIONS = "org.freedesktop.Notifications"
_PLAIN = str.maketrans("<>&", "\u2039\u203a+")
"""A title is no markup, and some desktops take it for that."""


class NotSent(Exception):
    """It was not sent; the text says why, and what to do."""


def send(message: dict[str, Any]) -> None:
    """Send a message. Raises `NotSent`."""
    title, body = str(message["title"]), str(message["body"])
    if message.get("desktop"):
        return _desktop(title, body, message["news"])
    url = str(message.get("url") or "") or _first_line(str(message.get("url_file") or ""))
    if url.startswith(("http://", "https://")):
        return _post(url, {key: message[key] for key in ("title", "body", "news")})
    return _apprise(url, title, body)


def _desktop(title: str, body: str, news: Sequence[Mapping[str, Any]]) -> None:
    """Show a message on this machine's desktop, none of whose words are taken for markup or for a link.

    By D-Bus (Desktop Notifications Specification 1.2: the body may hold markup). Without jeepney it is notify-send,
    whose words everybody on the machine can read: then it says who there is news of, and not what an agent said.
    """
    try:
        jeepney: Any = import_module("jeepney")
        connections: Any = import_module("jeepney.io.blocking")
    except ImportError:
        _notify_send("; ".join(f"{item['about']}: {item['kind']}" for item in news))
        return
    place = jeepney.DBusAddress("/org/freedesktop/Notifications", _NOTIFICATIONS, _NOTIFICATIONS)
    words: tuple[Any, ...] = (
        "Control Room",
        0,
        "",
        title.translate(_PLAIN),
        html.escape(body, quote=False),
        [],
        {},
        -1,
    )
    try:
        with connections.open_dbus_connection(bus="SESSION") as connection:
            asked = jeepney.new_method_call(place, "Notify", "susssasa{sv}i", words)
            answer = connection.send_and_get_reply(asked, timeout=WAIT)
    except (OSError, KeyError, ValueError) as error:
        raise NotSent(f"the desktop cannot be reached over D-Bus: {error}") from None
    if answer.header.message_type == jeepney.MessageType.error:
        raise NotSent("the desktop takes no notifications: is there a notification service?")


def _notify_send(words: str) -> None:
    argv = ["notify-send", "--app-name=Control Room", "--", "Control Room", html.escape(words, quote=False)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT, check=False)
    except FileNotFoundError:
        raise NotSent("neither jeepney (pip install 'controlroom[notify]') nor notify-send is here") from None
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NotSent(f"notify-send: {complaint[-1] if complaint else done.returncode}")


def _post(url: str, message: dict[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310 - http and https only, checked by who calls
        url, json.dumps(message).encode(), {"Content-Type": "application/json", "User-Agent": "controlroom"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as answer:  # noqa: S310
            answer.read(_MOST)
    except urllib.error.HTTPError as error:
        raise NotSent(f"the server answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise NotSent(f"the server cannot be reached: {getattr(error, 'reason', '') or type(error).__name__}") from None


def _apprise(url: str, title: str, body: str) -> None:
    try:
        apprise: Any = import_module("apprise")
    except ImportError:
        raise NotSent("this address needs apprise: pip install 'controlroom[notify]'") from None
    queue = apprise.Apprise()
    if not queue.add(url):
        raise NotSent("apprise does not know such an address")
    if not queue.notify(title=title, body=body or title):
        raise NotSent("apprise could not send it")


def _first_line(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8", errors="replace") as file:
            return file.readline(4096).strip()
    except OSError as error:
        raise NotSent(f"{path} cannot be read: {error.strerror}") from None


def main() -> int:
    """Send what stands on stdin; complain in one line."""
    try:
        send(json.loads(sys.stdin.buffer.read(_MOST)))
    except NotSent as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
