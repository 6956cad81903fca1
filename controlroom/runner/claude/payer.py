"""Who pays for what a Claude asks, and a login that nobody meant to be billed. The one answer of the whole program.

What an agent's Claude says of itself while it runs is held against it (`told_by`). Read by the runner, which must stay
small.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controlroom.runner.claude import login
from controlroom.runner.claude.login import API, KEYS, PLAN, UNKNOWN, Login
from controlroom.runner.spec import Spec
from controlroom.text.json_fields import table, text

OVERAGE = "overage"
"""A plan that is used up: what goes beyond it is billed."""

_BY_KEY = ("ANTHROPIC_API_KEY", "apiKeyHelper")
"""Values of `apiKeySource` beside which no plan is used (2.1.332, observed); a Console's key may stand beside one."""


def of_spec(environ: Mapping[str, str], cwd: str, spec: Spec) -> Login:
    """Say how an agent that was ordered logs in. A plan that was ordered, and that nothing here denies, is believed."""
    interactive = spec.kind == "interactive"
    found = login.find(environ, cwd, spec.command[1:], interactive=interactive)
    return Login(PLAN, "its profile") if spec.credential.plan and not found.source else found


def stray(
    environ: Mapping[str, str],
    cwd: str,
    environ_of_login: Mapping[str, object] | None = None,
    spec: Spec | None = None,
    arguments: Sequence[str] = (),
) -> str:
    """Name what moves an agent off a plan though nothing asks for it, "" when nothing does.

    `environ_of_login` is the login shell's environment, `spec` what was ordered: what the profile itself brings is
    meant.
    """
    found = of_spec(environ, cwd, spec) if spec else login.find(environ, cwd, arguments)
    if found.billing != API or (spec and _is_asked_for(found, environ, environ_of_login or {}, spec)):
        return ""
    wanted = spec is not None and spec.credential.plan
    if not wanted and (found.cloud or not login.has_plan(environ)):
        return ""
    return f"{found.source} of the login shell" if spec and found.source in KEYS else found.source


def _is_asked_for(found: Login, environ: Mapping[str, str], of_login: Mapping[str, object], spec: Spec) -> bool:
    if spec.credential.file or spec.credential.command:
        return True
    name = found.source
    return name in KEYS and (name in spec.env or environ.get(name) != of_login.get(name))


def told_by(event: Mapping[str, Any]) -> str:
    """Say who pays by an event of a Claude's stream: `api`, `plan`, `overage`, or "" for one that says nothing of it.

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
    """Say how two answers to who pays disagree, "" when they do not."""
    if told == OVERAGE and billing == PLAN:
        return "its plan is used up, and what goes beyond it is billed (overage)"
    if not told or not billing or told in (billing, OVERAGE):
        return ""
    words = {API: "an account that is billed", PLAN: "a plan"}
    return f"{words[billing]} pays by what is set up on its host, {words[told]} by what its Claude says"
