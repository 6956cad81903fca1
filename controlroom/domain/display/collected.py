"""What agents have done, as a table and as Markdown for a pull request.

Agents wrote most of it. In Markdown their words stand in fences and code spans, where nobody is mentioned, no issue is
closed and no picture is loaded.
"""

import re
from collections.abc import Iterator, Sequence

from controlroom.domain.model import Agent
from controlroom.domain.orders import Result
from controlroom.domain.words import dollars, seconds
from controlroom.text.branch_work import BranchWork, FileChange
from controlroom.text.checks import CheckRun, CheckState
from controlroom.text.lazy_dataclass import dataclass

HEAD = ("AGENT", "STATE", "CHECKS", "COMMITS", "FILES", "LINES", "COST", "TIME", "BRANCH")
RIGHT = frozenset({3, 4, 5, 6, 7})
_DASH = "–"
_SHORT = 12
_ANSWER = 100
"""Characters of an answer beside the figures."""
_MOST_FILES = 100


@dataclass(frozen=True)
class Collected:
    """What one agent has done, as far as it could be asked for."""

    agent: Agent
    work: BranchWork | None = None
    reason: str = ""
    """Why nothing is known."""
    result: Result | None = None
    """What came of its merge, where that was wanted."""

    @property
    def why(self) -> str:
        """Why there is nothing to be merged, said of it; empty: there is something."""
        work = self.work
        if work is None or not work.head:
            return self.reason or (work.reason if work else "") or "it works in no repository"
        return "it has committed nothing" if work.base and not work.commit_count else ""


def row(one: Collected, now: int) -> tuple[str, ...]:
    """Return its cells, in the order of `HEAD`."""
    agent, work = one.agent, one.work
    spent = _DASH if agent.spent is None else dollars(agent.spent)
    figures = (_DASH,) * 3
    if work is not None and work.base:
        figures = (str(work.commit_count), str(work.file_count), lines_changed(work))
    branch = (work.branch or work.head[:_SHORT]) if work else ""
    return (
        agent.id,
        str(agent.state) + ", nothing changed" * agent.nothing_changed,
        _checked(one),
        *figures,
        spent,
        lasted(agent, now),
        branch or _DASH,
    )


def _checked(one: Collected) -> str:
    """How its own checks came out, in a word, and how many guarded files it has changed."""
    checks = one.agent.checks
    if checks is None or not checks.state.value:
        return _DASH
    other = _other_commit(one)
    state = f"{checks.state} at {other}" if other else str(checks.state)
    guarded = len(checks.guarded) + checks.more_guarded
    return f"{state}, {guarded} guarded" if guarded else state


def _other_commit(one: Collected) -> str:
    """The commit that was checked, where that is not the one that is shown; empty: it is, or nobody knows."""
    checks, work = one.agent.checks, one.work
    differs = checks is not None and work is not None and work.head and checks.commit not in ("", work.head)
    return checks.commit[:_SHORT] if checks and differs else ""


def last_words(one: Collected) -> str:
    """Return how its answer begins, or why nothing is known of it."""
    first = _first_line(one.work.answer) if one.work else one.reason
    return first if len(first) <= _ANSWER else first[: _ANSWER - 1] + "…"


def notes(one: Collected) -> Iterator[str]:
    """Say what else one should know of it before it is merged."""
    work, checks = one.work, one.agent.checks
    if checks is not None and checks.guarded_words:
        yield f"{one.agent.id}: {checks.guarded_words}"
    if work is None:
        yield f"{one.agent.id}: {one.reason}"
        return
    if not work.clone:
        yield f"{one.agent.id}: {work.reason}"
    elif not work.base:
        yield f"{one.agent.id}: where its work began is not known, nor what it has committed since"
    if work.uncommitted:
        files = "1 file is" if work.uncommitted == 1 else f"{work.uncommitted} files are"
        yield f"{one.agent.id}: {files} changed and not committed"


def would_be_lost(work: BranchWork) -> str:
    """Say what is lost with an agent's worktree and branch; empty: nothing, as far as is known."""
    parts = [f"{_count(work.uncommitted, 'file')} that no commit has"] * bool(work.uncommitted)
    parts += [f"{_count(work.only_here, 'commit')} that no other branch has"] * bool(work.only_here)
    return " and ".join(parts)


def lasted(agent: Agent, now: int) -> str:
    """How long its run took, or has taken so far."""
    return seconds((agent.ended or now) - agent.started) if agent.started else _DASH


def lines_changed(work: BranchWork) -> str:
    """The lines that were added and taken away: `+120 -30`."""
    return f"+{work.added} -{work.removed}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


# --------------------------------------------------------------------------- Markdown


def markdown(collected: Sequence[Collected], now: int) -> str:
    """Write what agents have done for the text of a pull request."""
    parts = [_overview(collected, now)] if len(collected) > 1 else []
    return "\n\n".join([*parts, *("\n\n".join(_section(one, now)) for one in collected)]) + "\n"


def title(work: BranchWork) -> str:
    """Name a pull request by what the newest commit says; empty: nothing is known of it."""
    return work.commits[0].subject[:250] if work.commits else ""


def _overview(collected: Sequence[Collected], now: int) -> str:
    head = ("Agent", "Checks", "Commits", "Files", "Lines", "Cost", "Time")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for one in collected:
        cells = row(one, now)
        lines.append(f"| {' | '.join((_code(cells[0]), _code(cells[2]), *cells[3:8]))} |")
    return "\n".join(lines)


def _section(one: Collected, now: int) -> Iterator[str]:
    agent, work = one.agent, one.work
    yield f"## {agent.name}"
    if work is None or not work.head:
        yield _code(one.reason or (work.reason if work else ""))
    if work is not None and work.answer:
        yield _fenced(work.answer + ("\n…" if work.answer_cut else ""))
    cost = "" if agent.spent is None else f", {dollars(agent.spent)}"
    facts = [f"- {_code(agent.id)}, {lasted(agent, now)}{cost}"]
    if work is not None and work.head:
        facts.insert(0, f"- {_code(work.branch or 'no branch')} at {_code(work.head[:_SHORT])}{_figures(work)}")
    facts += [f"- checked{_of_what(one)}: {_code(run.command)}" for run in _passed(agent)]
    if agent.checks and agent.checks.guarded_words:
        facts.append(f"- {_code(agent.checks.guarded_words)}")
    yield "\n".join(facts)
    if work is not None and work.commits:
        yield "\n".join(_commits(work))
    if work is not None and work.files:
        yield "\n".join(_files(work))


def _of_what(one: Collected) -> str:
    """What was checked, where that is not the commit that is shown."""
    if other := _other_commit(one):
        return f" at {_code(other)}, which is another commit"
    beside = one.work.uncommitted if one.work and one.agent.checks and not one.agent.checks.clean else 0
    return f" with {_count(beside, 'file')} that no commit has" if beside else ""


def _passed(agent: Agent) -> Sequence[CheckRun]:
    checks = agent.checks
    return checks.runs if checks and checks.state is CheckState.PASSED else ()


def _figures(work: BranchWork) -> str:
    if not work.base:
        return ""
    return f": {_count(work.commit_count, 'commit')}, {_count(work.file_count, 'file')}, {lines_changed(work)} lines"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _commits(work: BranchWork) -> Iterator[str]:
    for commit in work.commits:
        yield f"- {_code(commit.id[:_SHORT])} {_code(commit.subject)}"
    if work.commit_count > len(work.commits):
        yield f"- and {work.commit_count - len(work.commits)} more"


def _files(work: BranchWork) -> Iterator[str]:
    yield f"<details><summary>{_count(work.file_count, 'file')}</summary>\n"
    for file in work.files[:_MOST_FILES]:
        yield f"- {_code(file.path)} {_lines(file)}"
    if work.file_count > min(len(work.files), _MOST_FILES):
        yield f"- and {work.file_count - min(len(work.files), _MOST_FILES)} more"
    yield "\n</details>"


def _lines(file: FileChange) -> str:
    return "binary" if file.added is None or file.removed is None else f"+{file.added} -{file.removed}"


def _code(text: str) -> str:
    """Put a text into a code span that it cannot end; in the cell of a table a bar would end that."""
    mark = "`" * (_longest_ticks(text) + 1)
    plain = text.replace("|", "¦").replace("\n", " ")
    return f"{mark} {plain} {mark}" if "`" in plain else f"`{plain}`" if plain.strip() else _DASH


def _fenced(text: str) -> str:
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
