"""What each tool does: asks the engine for it, and writes what came of it as plain text of a bounded size."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.display.collected import Collected, markdown
from controlroom.domain.display.diff import SIGNS, amount, base_words, letter, shown_path
from controlroom.domain.display.explain import explain as explained
from controlroom.domain.display.explain import lines as explanation_lines
from controlroom.domain.display.leads import lead_rows
from controlroom.domain.display.loglines import log_lines
from controlroom.domain.display.tasks import wait_words
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.questions import Question
from controlroom.domain.tasks import Task, TaskWish
from controlroom.domain.words import ago, dollars
from controlroom.mcp.session import LeadSession, ToolRefused
from controlroom.text.changes import ChangedFile
from controlroom.text.sanitize import redact
from controlroom.text.states import Verdict

Arguments = Mapping[str, Any]

LONGEST = 24_000
"""Characters of an answer: a model pays for each of them, again and again."""

_SHOWN = 100
"""Agents or tasks of one answer."""


def bounded(text: str) -> str:
    """Cut a text to what an answer may have, and say so."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n(cut here: {len(text) - LONGEST} characters more)"


async def status(session: LeadSession, given: Arguments) -> str:
    """Show what the lead may do, and its agents."""
    lead, client = await session.lead(), await session.client()
    now = client.now()
    row = lead_rows(client.fleet, now)[0]
    until = f", until {_age(lead.until, now)} from now" if lead.until else ""
    spent = "not known" if row.billed is None else dollars(row.billed)
    plans = f", and {dollars(row.covered)} at list prices of plans" if row.covered else ""
    lines = [
        f"You are lead {lead.name}. You may: {', '.join(lead.verbs)}{until}.",
        f"Hosts: {', '.join(lead.hosts)}. Profiles: {', '.join(lead.profiles)}.",
        f"Agents at work: {row.at_work} of {lead.agents}. Spent: {spent} of {dollars(lead.limit)} in all{plans}.",
        *_agent_lines(client.fleet, now),
    ]
    return "\n".join(lines)


def _age(at: int, now: int) -> str:
    return ago(now - at).removesuffix(" ago") if at <= now else ago(at - now).removesuffix(" ago")


def _agent_lines(fleet: Fleet, now: int) -> Iterator[str]:
    agents = sorted(fleet.agents.values(), key=lambda agent: (agent.has_ended, agent.id))
    if not agents:
        yield "You have no agents."
    for agent in agents[:_SHOWN]:
        yield f"- {agent.id}: {_state(fleet, agent, now)}"
        if agent.question:
            yield f"  asks: {_asked(agent.question)}"
    if len(agents) > _SHOWN:
        yield f"(and {len(agents) - _SHOWN} more)"


def _state(fleet: Fleet, agent: Agent, now: int) -> str:
    detail = f" ({agent.detail})" if agent.detail else ""
    cost = "" if agent.spent is None else f", {dollars(agent.spent)}"
    task = f" · {agent.task}" if agent.task else ""
    return f"{fleet.state_of(agent)}{detail}, {ago(now - agent.since)}, run {agent.epoch}{cost}{task}"


def _asked(question: Question) -> str:
    return " / ".join(question.lines)[:1_000]


async def spawn(session: LeadSession, given: Arguments) -> str:
    """Start an agent."""
    wanted = intents.SpawnAgent(given["name"], given["task"], given.get("host", ""), given.get("profile", ""))
    return await session.submit(wanted, f"{given['name']} is started")


async def send(session: LeadSession, given: Arguments) -> str:
    """Say something to an agent."""
    agent = await session.agent(given["agent"])
    return await session.submit(intents.SendMessage(agent.id, agent.epoch, given["text"]), "it was told")


async def kill(session: LeadSession, given: Arguments) -> str:
    """End an agent."""
    agent = await session.agent(given["agent"])
    return await session.submit(intents.KillAgent(agent.id, agent.epoch), "it is ended")


async def reassign(session: LeadSession, given: Arguments) -> str:
    """Give an agent a new task."""
    agent = await session.agent(given["agent"])
    keep = bool(given.get("keep_session", False))
    wanted = intents.ReassignAgent(agent.id, agent.epoch, given["task"], keep_session=keep)
    return await session.submit(wanted, "it has its new task")


async def retry(session: LeadSession, given: Arguments) -> str:
    """Do a task again: an agent's, or one of the queue."""
    if ("agent" in given) == ("task" in given):
        raise ToolRefused("retry needs either an agent or a task")
    if "task" in given:
        return await session.submit(intents.RetryTask(given["task"]), f"{given['task']} is done again")
    agent = await session.agent(given["agent"])
    return await session.submit(intents.RetryAgent(agent.id, agent.epoch), "it begins its task again")


async def answer(session: LeadSession, given: Arguments) -> str:
    """Answer what an agent asks."""
    agent = await session.agent(given["agent"])
    asked = agent.question
    if asked is None:
        raise ToolRefused(f"{agent.id} asks nothing now")
    verdict = Verdict(given["verdict"])
    wanted = intents.AnswerQuestion(agent.id, asked.id, verdict, given.get("text", ""), asked.digest)
    return await session.submit(wanted, f"answered: {verdict}")


async def task_add(session: LeadSession, given: Arguments) -> str:
    """Put a task into the queue."""
    place = {"profile": given.get("profile", ""), "host": given.get("host", ""), "after": tuple(given.get("after", ()))}
    return await session.submit(intents.AddTasks((TaskWish(text=given["text"], **place),)), "the task waits")


async def task_list(session: LeadSession, given: Arguments) -> str:
    """Show the lead's tasks."""
    await session.lead()
    client = await session.client()
    now = client.now()
    tasks = sorted(client.fleet.tasks.values(), key=lambda task: task.number)
    lines = [_task_line(client.fleet, task, now) for task in tasks[-_SHOWN:]]
    return "\n".join(lines) or "You have no tasks."


def _task_line(fleet: Fleet, task: Task, now: int) -> str:
    by = f" by {task.last.id}" if task.last else ""
    wait = f" ({wait_words(task, now)})" if task.wait else ""
    reason = f": {task.reason}" if task.reason else ""
    return f"- {task.id} {task.state}{by}, {ago(now - task.since)}{wait}{reason} · {task.title}"


async def task_show(session: LeadSession, given: Arguments) -> str:
    """Show the text of a task."""
    told = await (await session.client()).task_text(given["task"])
    if told.reason:
        raise ToolRefused(told.reason)
    return told.text


async def task_drop(session: LeadSession, given: Arguments) -> str:
    """Take a task out of the queue."""
    return await session.submit(intents.DropTask(given["task"]), f"{given['task']} is dropped")


async def logs(session: LeadSession, given: Arguments) -> str:
    """Show the end of a log."""
    agent, count = await session.agent(given["agent"]), int(given.get("lines", 60))
    page = await (await session.client()).fetch(agent.id, agent.epoch, count=count)
    if page.reason:
        raise ToolRefused(page.reason)
    return _newest((f"{line.kind}: {line.text}" for line in log_lines(page.records)), count)


def _newest(lines: Iterable[str], count: int) -> str:
    """The last of some lines, as many as an answer has room for."""
    kept: list[str] = []
    size = 0
    for line in reversed(list(lines)[-count:]):
        line = redact(line[:2_000])
        size += len(line) + 1
        if size > LONGEST - 100:
            kept.append("(what came before is left out)")
            break
        kept.append(line)
    return "\n".join(reversed(kept)) or "Its log is empty."


async def collect(session: LeadSession, given: Arguments) -> str:
    """Show what an agent has done."""
    agent, client = await session.agent(given["agent"]), await session.client()
    told = await client.work(agent.id, agent.epoch)
    return markdown([Collected(agent, told.work, told.reason)], client.now())


async def diff(session: LeadSession, given: Arguments) -> str:
    """Show what an agent has changed."""
    agent, client = await session.agent(given["agent"]), await session.client()
    told = await client.changes(agent.id, agent.epoch)
    if told.changes is None or told.reason:
        raise ToolRefused(told.reason or "its host said nothing")
    files = {shown_path(file.path): file for file in told.changes.files}
    if "file" not in given:
        changed = [f"{letter(file)} {path} {' '.join(amount(file))}".rstrip() for path, file in files.items()]
        return "\n".join([base_words(told.changes), *(changed or ["It has changed nothing."])])
    file = files.get(given["file"])
    if file is None:
        raise ToolRefused(f"it has not changed {ascii(given['file'])[:200]}; call diff without a file for the list")
    return await _diff_of(client, agent, file, int(given.get("start", 0)))


async def _diff_of(client: Client, agent: Agent, file: ChangedFile, start: int) -> str:
    page = await client.diff(agent.id, agent.epoch, file, start)
    if page.reason:
        raise ToolRefused(page.reason)
    if page.binary:
        return "It is no text."
    lines = [f"{SIGNS.get(line.kind, '' if line.old == line.new == 0 else ' ')}{line.text}" for line in page.lines]
    rest = page.total - page.start - len(page.lines)
    more = [f"({rest} lines more: start={page.start + len(page.lines)})"] if rest > 0 else []
    return "\n".join([*lines, *more])


async def costs(session: LeadSession, given: Arguments) -> str:
    """Show what the lead's agents have cost."""
    lead, client = await session.lead(), await session.client()
    told = await client.costs("agent", lead.added, client.now() + 1)
    if told.reason:
        raise ToolRefused(told.reason)
    lines = [f"- {row.key}: {dollars(row.micro)}{' of a plan' * (row.billing == 'plan')}" for row in told.rows]
    left = f"Ceiling: {dollars(lead.limit)} in all."
    return "\n".join([*(lines or ["They have cost nothing yet."]), left])


async def explain(session: LeadSession, given: Arguments) -> str:
    """Say why an agent is as it is."""
    agent, client = await session.agent(given["agent"]), await session.client()
    now = client.now()
    told = explained(client.fleet, agent, now)
    lines = explanation_lines(told, now, lambda at: f"{_age(at, now)} ago")
    return "\n".join(f"{line.label} {line.words}".strip() for line in lines)
