"""Which agents leads have begun: what they spend counts for the ceiling of their lead, also once they are forgotten."""

from controlroom.domain.money.allotment import Run
from controlroom.engine.ledger.lead_tables import LEAD_AGENTS, keep_lead_agent
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import AgentKey, Statement


class LedAgents:
    """Agents by host and name, each with its lead. All methods are called on the event loop."""

    def __init__(self, ledger: Ledger) -> None:
        """Recall them. Raises `LedgerProblem`."""
        rows = ledger.read(LEAD_AGENTS)
        self._lead_of: dict[AgentKey, str] = {(str(host), str(agent)): str(lead) for host, agent, lead in rows}

    def lead_of(self, host: str, name: str) -> str:
        """Name the lead that began an agent; empty: none did."""
        return self._lead_of.get((host, name), "")

    def of(self, lead: str) -> frozenset[str]:
        """Name the agents of a lead, by id."""
        return frozenset(f"{host}/{name}" for (host, name), whose in self._lead_of.items() if whose == lead)

    def begins(self, run: Run) -> list[Statement]:
        """Take that a run is begun, and give what is to be written before it is ordered."""
        if not run.lead or self._lead_of.get(run.key[:2]) == run.lead:
            return []
        self._lead_of[run.key[:2]] = run.lead
        return [keep_lead_agent(run.host, run.name, run.lead)]

    def forget(self, lead: str) -> None:
        """Another lead is to have this name."""
        self._lead_of = {agent: whose for agent, whose in self._lead_of.items() if whose != lead}
