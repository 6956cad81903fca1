"""Whose sums are others than when they were read last: noted by triggers of our own connection in each transaction.

A message that comes again under another agent, a report, and what a person settles change the sums of others, too:
only the ledger itself knows whose.
"""

import threading
from collections.abc import Iterable, Sequence

AgentKey = tuple[str, str]
"""Host and name of an agent."""

_NOTE = "insert into touched select {0}.source where {0}.source not in (select source from touched)"

TABLES: Sequence[str] = (
    "pragma temp_store = memory",
    "create temp table touched (source integer primary key)",
    f"create temp trigger touched_added after insert on usage begin {_NOTE.format('new')}; end",
    f"""create temp trigger touched_changed after update on usage
    begin {_NOTE.format("old")}; {_NOTE.format("new")}; end""",
    f"create temp trigger touched_taken after delete on usage begin {_NOTE.format('old')}; end",
)
"""What notes it; gone with the connection."""

TOUCHED = "select distinct host, agent from touched join sources on source = id"
FORGET = "delete from touched"


class Touched:
    """Agents whose sums are others, for one who reads them. For any thread."""

    def __init__(self) -> None:
        self._agents: set[AgentKey] = set()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._agents)

    def add(self, agents: Iterable[AgentKey]) -> None:
        """The sums of these are others."""
        with self._lock:
            self._agents.update(agents)

    def take(self) -> set[AgentKey]:
        """Give them, each once."""
        with self._lock:
            taken, self._agents = self._agents, set()
        return taken
