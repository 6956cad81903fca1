"""How a Claude logs in and who pays for it, by what is there: the same sources as its own, in its own order.

Claude Code 2.1.332, observed (the headers of its requests), what goes first first: another cloud; a bearer token; a key
or the `apiKeyHelper`; CLAUDE_CODE_OAUTH_TOKEN; a profile that is named; workload identity; a plan's login; the key that
a Console login keeps; the active profile. `primaryApiKey` and the profiles are Console accounts: billed by use. On a
terminal a key of the environment counts when it was approved. Anthropic's own remote machines and its desktop app put a
plan before every key; what another program signs in (`_BY_HOST`, a gateway that the managed settings ask for) is told
by nothing here. `--bare` knows no login but keys, and the helper of `--settings`. Only whether secrets are there is
looked at, never what they are.

A key that comes into the settings of a scope while a Claude runs is sent with its next request, though the run began
with a plan (2.1.332, observed): `LoginWatch` looks at the files' times until one has changed. What an agent's Claude
says of itself while it runs is held against all this (`told_by`).
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from controlroom.runner.claude import settings
from controlroom.runner.claude.settings import GIVEN, MANAGED, Settings, Unreadable, read_entry, read_object
from controlroom.runner.files import read_given
from controlroom.text.json_fields import table, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import AgentKind, Payer
from controlroom.wire.spec import AgentSpec

API, PLAN, UNKNOWN = Payer.API, Payer.PLAN, Payer.UNKNOWN

KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
PLAN_TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - a name
CLOUDS = tuple(
    f"CLAUDE_CODE_USE_{name}"
    for name in ("BEDROCK", "VERTEX", "FOUNDRY", "ANTHROPIC_AWS", "ANTHROPIC_GOOGLE_CLOUD", "MANTLE")
)
_PROFILE = "ANTHROPIC_PROFILE"
_RULE, _ORGANIZATION = "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"
_IDENTITY = ("ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE")
_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_REMOTE, _ENTRY = "CLAUDE_CODE_REMOTE", "CLAUDE_CODE_ENTRYPOINT"
_DESKTOP, _EDITOR = "claude-desktop", "claude-vscode"
_BARE, _SIMPLE = "--bare", "CLAUDE_CODE_SIMPLE"
_BY_HOST = "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST"
_GATEWAY = "gateway"

BEFORE_PLAN = (*KEYS, *CLOUDS, _PROFILE, _RULE, _HEADERS)
"""Variables that keep a Claude from the login of its plan."""

_TRUE = ("1", "true", "yes", "on")
_INFERENCE = "user:inference"
_MIXED_PLANS = ("", "enterprise")
"""Kinds of seats of which it is not known whether what they use is billed."""


class Login(NamedTuple):
    """Who pays, and what says so, by name (`apiKeyHelper in ~/.claude/settings.json`); never what it holds."""

    billing: str
    """`api`: billed by use; `plan`; "": not known."""
    source: str = ""
    cloud: bool = False
    """Another cloud: nobody takes it by mistake."""


def find(
    environ: Mapping[str, str],
    cwd: str,
    arguments: Sequence[str] = (),
    *,
    interactive: bool = False,
    managed: str = MANAGED,
) -> Login:
    """Return how a Claude in this environment and folder logs in; without anything that says so it is not known.

    `arguments`: those of its command line; `interactive`: it has a terminal; `managed`: the folder of such settings.
    """
    here = _Here(environ, settings.read(environ, cwd, arguments, managed), bare=_BARE in arguments)
    login = here.login(interactive)
    doubtful = login.billing == PLAN and (here.other_headers() or here.unreadable)
    return login._replace(billing=UNKNOWN) if doubtful else login


def has_plan(environ: Mapping[str, str]) -> bool:
    """Return whether there is a plan's login that a Claude would use if there were no key."""
    here = _Here(environ, settings.read(environ, "/"))
    return bool(here.plan_token() or here.plan_login())


class _Here:
    """What one Claude finds, source by source; None: there is no such login."""

    def __init__(self, environ: Mapping[str, str], found: Settings, *, bare: bool = False) -> None:
        self._environ, self._settings = {"HOME": os.path.expanduser("~"), **environ}, found
        self._bare = bare or self._is_on(_SIMPLE)
        self.unreadable = found.unreadable
        """Something is there that cannot be read."""

    def login(self, interactive: bool) -> Login:
        """Return the first that there is."""
        if self._is_on(_BY_HOST):
            return Login(UNKNOWN, self._from(_BY_HOST))
        if self._settings.forced.value == _GATEWAY:
            return Login(UNKNOWN, f"forceLoginMethod in {self._short(self._settings.forced.path)}")
        if source := self._cloud() or self._hosted() or self._variable(KEYS[0]):
            return source
        key = self._variable(KEYS[1])
        approved = self._approved() if key and interactive else True
        if key and approved:
            return key
        other = self._helper() or self._kept_login() or Login(UNKNOWN)
        if key and approved is None:  # somebody is yet to be asked
            return key if other.billing == API else Login(UNKNOWN, key.source)
        return other

    def _kept_login(self) -> Login | None:
        if self._bare:
            return None
        kept = self.plan_token() or self._named_profile() or self._workload()
        return kept or self.plan_login() or self._console() or self._active_profile()

    def _hosted(self) -> Login | None:
        """Return the login of a plan where it goes before every key; in an editor it is not known before which."""
        entry = self._settings.get(_ENTRY)
        if not (self._is_on(_REMOTE) or entry in (_DESKTOP, _EDITOR)):
            return None
        plan = self.plan_token() or self.plan_login()
        keys = self._variable(KEYS[0]) or self._variable(KEYS[1]) or self._helper()
        return Login(UNKNOWN, plan.source) if plan and keys and entry == _EDITOR else plan

    def _is_on(self, name: str) -> bool:
        return self._settings.get(name).lower() in _TRUE

    def _cloud(self) -> Login | None:
        return next((Login(API, self._from(name), cloud=True) for name in CLOUDS if self._is_on(name)), None)

    def _variable(self, name: str) -> Login | None:
        return Login(API, self._from(name)) if self._settings.get(name) else None

    def _helper(self) -> Login | None:
        value, path, scope = self._settings.helper
        if self._bare and scope != GIVEN:
            return None
        return Login(API, f"apiKeyHelper in {self._short(path)}") if value else None

    def _approved(self) -> bool | None:
        """Whether the key may be used on a terminal; None: nobody has been asked. Claude keeps its last digits."""
        answers, digits = table(self._kept("customApiKeyResponses")), self._settings.get(KEYS[1])[-20:]
        answered = {answer: digits in kept for answer, kept in answers.items() if isinstance(kept, list)}
        return True if answered.get("approved") else False if answered.get("rejected") else None

    def plan_token(self) -> Login | None:
        """Return the login by the token of a plan."""
        return Login(PLAN, self._from(PLAN_TOKEN)) if self._settings.get(PLAN_TOKEN) else None

    def plan_login(self) -> Login | None:
        """Return the login of a plan that is kept."""
        place = self._settings.get("CLAUDE_SECURESTORAGE_CONFIG_DIR") or self._settings.folder
        path = os.path.join(place, ".credentials.json")
        kept = table(self._read(path).get("claudeAiOauth"))
        scopes = kept.get("scopes")
        if kept.get("accessToken") and isinstance(scopes, list) and _INFERENCE in scopes:
            mixed = text(kept.get("subscriptionType")) in _MIXED_PLANS
            return Login(UNKNOWN if mixed else PLAN, self._short(path))
        if sys.platform == "darwin" and self._kept("oauthAccount") and not self._kept("primaryApiKey"):
            return Login(PLAN, "the keychain")
        return None

    def _console(self) -> Login | None:
        return Login(API, f"primaryApiKey in {self._short(self._own_file())}") if self._kept("primaryApiKey") else None

    def _named_profile(self) -> Login | None:
        name = self._settings.get(_PROFILE)
        return Login(API, f"profile {name[:40]}") if name and self._has_profile(name) else None

    def _active_profile(self) -> Login | None:
        try:
            name = (
                read_given(os.path.join(self._profiles(), "active_config"), 200, 0).decode("utf-8", "replace").strip()
            )
        except OSError:
            name = ""
        name = name or "default"
        return Login(API, f"profile {name[:40]}") if self._has_profile(name) else None

    def _has_profile(self, name: str) -> bool:
        if "/" in name or name.startswith("."):
            return False
        config = table(self._read(os.path.join(self._profiles(), "configs", f"{name}.json")).get("authentication"))
        if config.get("type") == "oidc_federation":
            return True
        return bool(config and self._read(os.path.join(self._profiles(), "credentials", f"{name}.json")))

    def _profiles(self) -> str:
        chosen = self._settings.get("ANTHROPIC_CONFIG_DIR")
        user = self._settings.get("XDG_CONFIG_HOME") or os.path.join(self._environ["HOME"], ".config")
        return chosen or os.path.join(user, "anthropic")

    def _workload(self) -> Login | None:
        named = self._settings.get(_RULE) and self._settings.get(_ORGANIZATION)
        return Login(API, self._from(_RULE)) if named and any(map(self._settings.get, _IDENTITY)) else None

    def other_headers(self) -> bool:
        """Return whether its requests carry a key or token that none of these sources gives."""
        names = (line.partition(":")[0].strip().lower() for line in self._settings.get(_HEADERS).splitlines())
        return not {"x-api-key", "authorization"}.isdisjoint(names)

    def _own_file(self) -> str:
        """Return its own file, which settings do not move."""
        place = self._environ.get("CLAUDE_CONFIG_DIR") or ""
        older = os.path.join(place or os.path.join(self._environ["HOME"], ".claude"), ".config.json")
        place = place or self._environ["HOME"]
        return older if os.path.exists(older) else os.path.join(place, ".claude.json")

    def _kept(self, name: str) -> Any:
        try:
            return read_entry(self._own_file(), name)
        except Unreadable:
            self.unreadable = True
            return None

    def _read(self, path: str) -> dict[str, Any]:
        try:
            return read_object(path)
        except Unreadable:
            self.unreadable = True
            return {}

    def _from(self, name: str) -> str:
        path = self._settings.path(name)
        return f"{name} in {self._short(path)}" if path else name

    def _short(self, path: str) -> str:
        if path.startswith("{"):
            return "--settings"
        home = self._environ["HOME"]
        return f"~{path.removeprefix(home)}" if home and path.startswith(f"{home}/") else path


OVERAGE = "overage"
"""A plan that is used up: what goes beyond it is billed."""

_BY_KEY = ("ANTHROPIC_API_KEY", "apiKeyHelper")
"""Values of `apiKeySource` beside which no plan is used (2.1.332, observed); a Console's key may stand beside one."""


def of_spec(environ: Mapping[str, str], cwd: str, spec: AgentSpec) -> Login:
    """How an agent that was ordered logs in. A plan that was ordered, and that nothing here denies, is believed."""
    interactive = spec.kind == AgentKind.INTERACTIVE
    login = find(environ, cwd, spec.command[1:], interactive=interactive)
    return Login(PLAN, "its profile") if spec.credential.plan and not login.source else login


def stray_login(
    environ: Mapping[str, str],
    cwd: str,
    environ_of_login: Mapping[str, object] | None = None,
    spec: AgentSpec | None = None,
    arguments: Sequence[str] = (),
) -> str:
    """Name what moves an agent off a plan though nothing asks for it, "" when nothing does.

    `environ_of_login` is the login shell's environment, `spec` what was ordered: what the profile itself brings is
    meant.
    """
    login = of_spec(environ, cwd, spec) if spec else find(environ, cwd, arguments)
    if login.billing != API or (spec and _is_asked_for(login, environ, environ_of_login or {}, spec)):
        return ""
    wanted = spec is not None and spec.credential.plan
    if not wanted and (login.cloud or not has_plan(environ)):
        return ""
    return f"{login.source} of the login shell" if spec and login.source in KEYS else login.source


def _is_asked_for(found: Login, environ: Mapping[str, str], of_login: Mapping[str, object], spec: AgentSpec) -> bool:
    if spec.credential.file or spec.credential.command:
        return True
    name = found.source
    return name in KEYS and (name in spec.env or environ.get(name) != of_login.get(name))


def told_by(event: Mapping[str, Any]) -> str:
    """Who pays by an event of a Claude's stream: `api`, `plan`, `overage`, or "" for one that says nothing of it.

    Windows of a plan are told to a plan's login only, and whether what is beyond them is billed now (overage); other
    providers stand in the result (2.1.332, observed).
    """
    kind = event.get("type")
    if kind == "rate_limit_event":
        return OVERAGE if table(event.get("rate_limit_info")).get("isUsingOverage") is True else PLAN
    if kind == "system" and event.get("subtype") == "init":
        return API if event.get("apiKeySource") in _BY_KEY else UNKNOWN
    if kind != "result":
        return UNKNOWN
    providers = {text(table(used).get("provider")) or _FIRST for used in table(event.get("modelUsage")).values()}
    return API if providers - {_FIRST} else UNKNOWN


_FIRST = "firstParty"


def doubt(billing: str, told: str) -> str:
    """Return how two answers to who pays disagree, "" when they do not."""
    if told == OVERAGE and billing == PLAN:
        return "its plan is used up, and what goes beyond it is billed (overage)"
    if not told or not billing or told in (billing, OVERAGE):
        return ""
    words: dict[str, str] = {API: "an account that is billed", PLAN: "a plan"}
    return f"{words[billing]} pays by what is set up on its host, {words[told]} by what its Claude says"


_PAUSE, _LASTS = 1.0, 10.0
"""Seconds between two looks at least, and for which the list of files lasts while none of them changes."""


FindLogin = Callable[[], Login]


class LoginWatch:
    """How one Claude logs in, from its start on."""

    def __init__(self, place: Mapping[str, str], cwd: str, arguments: Sequence[str], find_login: FindLogin) -> None:
        """`place`: variables that say where its settings are; `find_login` finds how it logs in now."""
        self._place, self._cwd, self._arguments, self._find = place, cwd, arguments, find_login
        self._due = self._list_due = 0.0
        self.billing = find_login().billing
        """Who pays, as it was found last (`login.Login`)."""
        self._seen = self._signatures(self._files())

    def change(self, now: float) -> str:
        """Return in words how it has changed since the last call, "" when it has not. `now`: seconds, never jumping."""
        if now < self._due:
            return ""
        self._due = now + _PAUSE
        if now < self._list_due and self._signatures(self._seen) == self._seen:
            return ""
        self._list_due = now + _LASTS
        before, self._seen = self._seen, self._signatures(self._files())
        if self._seen == before:
            return ""
        login = self._find()
        if login.billing in (UNKNOWN, self.billing):  # a file that is being written says nothing for a moment
            return ""
        self.billing = login.billing
        return f"who pays was changed while it runs: {login.source}"

    def _files(self) -> list[str]:
        return settings.files(self._place, self._cwd, self._arguments)

    @staticmethod
    def _signatures(paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
        return {path: _signature(path) for path in paths}


def _signature(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
