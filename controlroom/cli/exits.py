"""Exit codes: their one home."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script learns from how a verb ended."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_ENGINE = 3
    UNKNOWN = 4
    NOT_FOUND = 5
    ASKED = 6
    UNEXPECTED = 70
    INTERRUPTED = 130
    CLOSED = 141


MEANINGS = {
    Exit.DONE: "done",
    Exit.REFUSED: "refused: nothing has changed, the reason is on stderr",
    Exit.USAGE: "the command line is wrong",
    Exit.NO_ENGINE: "no engine runs, or it cannot start",
    Exit.UNKNOWN: "the outcome is not known (link lost, no answer in time): look again",
    Exit.NOT_FOUND: "no such agent, host, profile, budget or booking, or several of that name",
    Exit.ASKED: "a person must answer a question first",
    Exit.UNEXPECTED: "a mistake in Control Room itself; it names a report file",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
    Exit.CLOSED: "the reader of stdout went away",
}


class Stop(Exception):
    """Ends a verb with an exit code and a sentence for stderr: what happened, where, what to do next."""

    def __init__(self, code: Exit, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
