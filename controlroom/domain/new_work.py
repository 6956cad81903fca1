"""New work for an agent, as budgets see it before it begins."""

from typing import NamedTuple

from controlroom.domain.model import Fleet
from controlroom.domain.money import ladder
from controlroom.domain.preconditions import Refusal
from controlroom.text.states import AgentKind, Payer


def joined_notes(*notes: str) -> str:
    """Put what is to be said of new work into one sentence."""
    return "; ".join(note for note in notes if note)


class NewWork(NamedTuple):
    """New work for an agent, as budgets see it. A plain command costs nothing that they know of."""

    fleet: Fleet
    kind: AgentKind
    host: str
    name: str
    profile: str
    billing: Payer
    lead: str = ""

    def check(self) -> None:
        """See that no budget holds it. Raises `Refusal`."""
        if self.kind != AgentKind.COMMAND and (reason := ladder.refusal(self.fleet, *self[2:])):
            raise Refusal(reason)

    def model(self, meant: str) -> tuple[str, str]:
        """The model that it goes to, and why, when that is another one than was meant."""
        return (meant, "") if self.kind == AgentKind.COMMAND else ladder.cheaper(self.fleet, meant, *self[2:])
