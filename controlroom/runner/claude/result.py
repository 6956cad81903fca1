"""What a `result` of Claude's stream means for its run: how it failed, or that nothing was done.

Claude Code 2.1.332, observed:
  - error results say `subtype: success`, so only `is_error`, `terminal_reason` and `api_error_status` count;
  - a prompt that a hook turned away is a success without a turn: its reason stands before it, in `system/informational`
    as `prompt_submit_outcome`. A command such as `/help` is one, too, and what it says stands in `result`, or in a
    message that no model made;
  - a hook that says `continue: false` at a tool call ends the turn with the reason `hook_stopped`, again as a success;
    at the end of a turn (`stop_hook_prevented`) it stops nothing that was to be done;
  - at a plan's limit the message of the error, not the result, says when that ends (`api_error_params`); how long the
    API wants one to wait after any other 429 is said nowhere once Claude has given up;
  - where the body of the API's error names a code (`details.error_code`), the result has it as `api_error_code`.
"""

from typing import Any

from controlroom.text.json_fields import number, table, tables, text, whole
from controlroom.text.states import Cause, State

NOT_LOGGED_IN = "not logged in: run `claude` on the host once, or give the profile a credential"
REFUSED_LOGIN = "the login was refused: log in again with `claude` on the host, or check the profile's credential"

INTERRUPTED = "[Request interrupted by user"
"""How Claude's own message begins that stands in a session where an interrupt cut it off."""

_LOGIN = {Cause.LOGIN_REFUSED: REFUSED_LOGIN, Cause.NO_LOGIN: NOT_LOGGED_IN}
_CODES = {
    "enforced_spend_limit_reached": Cause.SPEND_CAP,
    "contract_spend_limit_reached": Cause.SPEND_CAP,
    "oauth_org_not_allowed": Cause.ORGANISATION,
    "organization_disabled": Cause.ORGANISATION,
    "organization_on_hold": Cause.ORGANISATION,
}
"""Codes of the API's errors (`api_error_code`) that say more than their status."""
_DISABLED_KEY = "org_disabled_credential"
"""What Claude calls (`api_error`) the 400 of a key in its environment whose organisation is disabled."""
_DISABLED = "organization has been disabled"
"""By what Claude itself tells that 400, which has no code: "This organization has been disabled." (its issue 60648)."""
_LIMITS = ("max_turns", "budget_exhausted")
_PLAN_LIMIT = "usage_limit_reached"
_WORDS = 300


def words_of(event: dict[str, Any]) -> str:
    """Name a result in a few words, for evidence."""
    parts = ("result", text(event.get("terminal_reason"), 60), str(whole(event.get("api_error_status")) or ""))
    return " ".join(part for part in parts if part)


def cause(event: dict[str, Any], *, login_refused: bool) -> Cause:
    """Return what an error result is about: the login, the account, the organisation, the API's load.

    `login_refused`: a message said so before.
    """
    status, reason = whole(event.get("api_error_status")), text(event.get("terminal_reason"), 60)
    if by_code := _CODES.get(text(event.get("api_error_code"), 60)):
        return by_code
    if event.get("api_error") == _DISABLED_KEY or (
        status == 400 and _DISABLED in text(event.get("result"), 400).lower()
    ):
        return Cause.ORGANISATION
    if reason in _LIMITS or status == 429:
        return Cause.COST if reason == "budget_exhausted" else Cause.NONE
    if status == 402 or event.get("api_error_type") == "billing_error":
        return Cause.ACCOUNT
    if status == 529 or event.get("api_error_type") == "overloaded_error":
        return Cause.OVERLOADED
    if status == 403 and event.get("api_error_type") == "permission_error":
        return Cause.ORGANISATION
    if not (login_refused or status == 401):
        return Cause.NONE
    return Cause.LOGIN_REFUSED if status else Cause.NO_LOGIN


def login_trouble(line: dict[str, Any]) -> Cause:
    """Return what a line of a transcript that tells of an API error says of the login."""
    status = whole(line.get("apiErrorStatus"))
    if line.get("error") != "authentication_failed" and status != 401:
        return Cause.NONE
    return Cause.LOGIN_REFUSED if status else Cause.NO_LOGIN


def failure(event: dict[str, Any], *, login_refused: bool) -> tuple[State, str]:
    """Return what an error result makes of the run. `login_refused`: a message said so before."""
    status, reason = whole(event.get("api_error_status")), text(event.get("terminal_reason"), 60)
    errors = event.get("errors")
    words = _first_line(text(errors[0] if isinstance(errors, list) and errors else event.get("result"), 400))
    if reason == "max_turns":
        return State.FAILED, f"{words or 'max_turns reached'}; raise max_turns, or reassign --continue"
    if reason == "budget_exhausted":
        return State.FAILED, f"{words or 'budget used up'}; raise max_budget_usd, or reassign --continue"
    why = cause(event, login_refused=login_refused)
    if status == 429 and why is not Cause.SPEND_CAP:
        return State.LIMITED, words or "429 rate limit"
    if why in _LOGIN:
        return State.FAILED, _LOGIN[why]
    if reason.startswith("aborted"):
        return State.FAILED, "interrupted by a signal"
    return State.FAILED, words or reason or "it failed without a reason"


def limit_ends(error: dict[str, Any]) -> int:
    """Return when the limit ends that the message of an error tells of, as a stream or a transcript has it.

    UTC ms; 0: it does not say.
    """
    params = table(error.get("api_error_params") or error.get("apiErrorParams"))
    return int(number(table(params.get("rate_limit_info")).get("resetsAt"), 1e11) * 1000)


def is_plan_limit(event: dict[str, Any]) -> bool:
    """Return whether a result is the end of a plan's window, and not of the API's limits by the minute."""
    return event.get("api_error") == _PLAN_LIMIT


def refusal(event: dict[str, Any]) -> str:
    """Why a hook turned a prompt away, as `system/informational` of a stream or transcript says; "": none did."""
    outcome = table(event.get("prompt_submit_outcome")) or table(table(event.get("promptSubmitEnding")).get("ending"))
    kind = text(outcome.get("kind"), 60)
    if not kind or not (event.get("prevent_continuation") or event.get("preventContinuation")):
        return ""
    return _first_line(text(outcome.get("reason"), _WORDS)) or kind.replace("_", " ")


def command_output(message: dict[str, Any]) -> str:
    """Return the first line that a command such as `/help` answered, from a message that no model made."""
    if text(message.get("model"), 100) != "<synthetic>":
        return ""
    return next(
        (line for block in tables(message.get("content")) if (line := _first_line(text(block.get("text"))))), ""
    )


def stopped_by_hook(event: dict[str, Any]) -> bool:
    """Return whether a hook ended the turn before Claude did."""
    return event.get("terminal_reason") == "hook_stopped"


def no_turn(event: dict[str, Any], refused: str, said: str) -> str:
    """Return why a success without a turn has done nothing. `said`: what a command answered."""
    if refused:
        return f"a hook refused the task: {refused}"
    command = text(event.get("local_command"), 60)
    words = _first_line(text(event.get("result"), _WORDS)) or said
    took = f"/{command} took no turn" if command else "Claude took no turn"
    return f"nothing was done: {took}" + (f" ({words})" if words else "")


def _first_line(words: str) -> str:
    return words.strip().split("\n", 1)[0][:_WORDS]
