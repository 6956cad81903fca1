"""What a node and a runner say to each other over the runner's control socket, and what an agent asks a person.

One request and one reply a connection, each a JSON line:

    {"do": "message", "text": …}                                   a user message for the agent
    {"do": "answer", "question": ID, "digest": …, "verdict": "allow" | "always" | "deny", "text": …,
     "answers": [{"choices": [1, 3], "words": …}, …],              one answer for each of its items
     "by": the rules that gave it, where no person did}
    {"do": "interrupt"}                                            stop the turn; the agent waits for a message
    {"do": "model", "model": …}                                    go on with another model, from its next request on
    {"do": "usage"}                                                ask Claude how far its plan is used
    {"do": "grant", "number": N}                                   go by the grant that now stands in grant.json
    {"do": "end", "why": …}                                        end the tree; replied to when nothing is left
    -> {"ok": true} | {"ok": false, "reason": …, "unknown": true where the runner knows no such request}

The first five bear a `Seal` beside. A runner lives on through upgrades of its node, so these lines stay as they are.
The records are named tuples, for a dataclass would cost each runner memory.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import Item, ItemAnswer, Verdict
from controlroom.wire.lines import PeerError, from_line


def digest_of(
    ident: str,
    kind: str,
    tool: str,
    text: str,
    items: Sequence[Item],
    always: Sequence[str] = (),
    given: str = "",
) -> str:
    """Hash all that a question shows, as 32 hexadecimal digits. An older runner has no `always`, and no `given`.

    An answer carries the digest of the question that was shown, so an answer to one that has been replaced under the
    same id fits nowhere. Runner and home each make it of what they hold, and neither believes the other's.
    """
    from hashlib import sha256  # costs a runner a megabyte: not before something is asked

    shown = [ident, kind, tool, text, items, *[always] * bool(always), *[{"input": given}] * bool(given)]
    return sha256(json.dumps(shown).encode()).hexdigest()[:32]


# --------------------------------------------------------------------------- node -> runner


class Message(NamedTuple):
    """A user message for the agent."""

    text: str = ""


class Answer(NamedTuple):
    """The answer to the open question, for which it was shown."""

    question: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    digest: str = ""
    text: str = ""
    answers: tuple[ItemAnswer, ...] = ()
    """One for each of its items, in their order."""
    by: str = ""
    """The rules that gave it, by name; "": a person did."""


class Interrupt(NamedTuple):
    """Stop the turn."""


class SetModel(NamedTuple):
    """Go on with another model, as Claude Code names it."""

    model: str = ""


class AskPlan(NamedTuple):
    """Ask Claude how far its plan is used."""


class TakeGrant(NamedTuple):
    """Go by the grant that stands in grant.json now."""

    number: int = 0


class End(NamedTuple):
    """End the agent's whole tree. `why`: in a word."""

    why: str = ""


SealedRequest = Message | Answer | Interrupt | SetModel | AskPlan
Request = SealedRequest | TakeGrant | End


class Seal(NamedTuple):
    """What shows that the room ordered a request, and that it comes once."""

    nonce: str = ""
    """Names this order alone."""
    bound: str = ""
    """The room's signature of the request, the run and its owner."""
    signature: str = ""
    """Likewise without the owner, for a runner that began before owners were signed."""


UNSEALED = Seal()
_UNKNOWN = "the runner does not know "
"""How a runner's refusal begins that does not say `unknown`: it is an older one."""


class UnknownRequest(PeerError):
    """A request of a kind that this runner does not know."""


class Received(NamedTuple):
    """A request as a runner got it: the record, and all of its fields, which the signature is of."""

    request: Request
    fields: Mapping[str, Any]


def request_fields(request: Request, seal: Seal = UNSEALED) -> dict[str, Any]:
    """The fields of a request; of one that home orders with its seal, in which empty signatures are left out."""
    kind = _KIND_NAMES[type(request)]
    if isinstance(request, (TakeGrant, End)):
        return {"do": kind, **request._asdict()}
    text = request.text if isinstance(request, (Message, Answer)) else ""
    fields: dict[str, Any] = {"do": kind, "text": text, "nonce": seal.nonce}
    if isinstance(request, Answer):
        fields |= {"question": request.question, "verdict": str(request.verdict), "digest": request.digest}
        fields["answers"] = [{"choices": list(item.choices), "words": item.words} for item in request.answers]
        fields |= {"by": request.by} if request.by else {}
    if isinstance(request, SetModel):
        fields["model"] = request.model
    return fields | {name: value for name, value in (("bound", seal.bound), ("signature", seal.signature)) if value}


def read_request(line: bytes) -> Received:
    """Read what a runner is asked. Raises `PeerError`, with words for whoever asked."""
    fields = from_line(line)
    kind = fields.get("do")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise UnknownRequest(f"{_UNKNOWN}{ascii(kind)[:40]}")
    return Received(read(fields), fields)


def _answer(fields: Mapping[str, Any]) -> Answer:
    answers = _field(fields, "answers", list, [])
    question, verdict, digest, text = (_text(fields, name) for name in ("question", "verdict", "digest", "text"))
    return Answer(question, Verdict(verdict), digest, text, tuple(map(_item_answer, answers)), _text(fields, "by"))


def _item_answer(value: Any) -> ItemAnswer:
    fields = _field({"answer": value}, "answer", dict, {})
    choices = tuple(_field({"choice": choice}, "choice", int, 0) for choice in _field(fields, "choices", list, []))
    return ItemAnswer(choices, _text(fields, "words"))


def _text(fields: Mapping[str, Any], name: str) -> str:
    return str(_field(fields, name, str, ""))


def _field(fields: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = fields.get(name, default)
    if type(value) is not kind:
        raise PeerError(f"the request does not fit: {name} is no {_TYPES[kind]}")
    return value


_TYPES = {str: "text", int: "whole number", list: "list", dict: "object"}
_KIND_NAMES: dict[type, str] = {
    Message: "message", Answer: "answer", Interrupt: "interrupt", SetModel: "model", AskPlan: "usage",
    TakeGrant: "grant", End: "end",
}  # fmt: skip
_READERS: dict[str, Callable[[Mapping[str, Any]], Request]] = {
    "message": lambda fields: Message(_text(fields, "text")),
    "answer": _answer,
    "interrupt": lambda _fields: Interrupt(),
    "model": lambda fields: SetModel(_text(fields, "model")),
    "usage": lambda _fields: AskPlan(),
    "grant": lambda fields: TakeGrant(_field(fields, "number", int, 0)),
    "end": lambda fields: End(_text(fields, "why")),
}


# --------------------------------------------------------------------------- runner -> node


class RunnerReply(NamedTuple):
    """What came of a request: it was done, or refused for a reason."""

    reason: str = ""
    unknown: bool = False
    """It was refused because the runner knows no such request: it is an older one."""

    @property
    def done(self) -> bool:
        """Whether it was done."""
        return not self.reason


def reply_fields(reply: RunnerReply) -> dict[str, Any]:
    """The fields of a reply."""
    if reply.done:
        return {"ok": True}
    return {"ok": False, "reason": reply.reason, **({"unknown": True} if reply.unknown else {})}


def read_reply(line: bytes) -> RunnerReply:
    """Read what a runner replies. Raises `PeerError`."""
    fields = from_line(line)
    if fields.get("ok") is True:
        return RunnerReply()
    reason = str(fields.get("reason") or "its runner refused without a reason")
    return RunnerReply(reason, unknown=fields.get("unknown") is True or reason.startswith(_UNKNOWN))
