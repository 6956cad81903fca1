"""What an agent asks and what it is answered, question by question, each with its choices."""

from dataclasses import astuple, dataclass

from controlroom.wire.digest import digest_of


@dataclass(frozen=True)
class OptionSeen:
    """One choice."""

    label: str
    description: str = ""
    preview: str = ""
    """What it would look like: several lines, to be shown as they stand."""


@dataclass(frozen=True)
class ItemSeen:
    """One of the questions that are asked together."""

    question: str
    header: str = ""
    options: tuple[OptionSeen, ...] = ()
    several: bool = False
    """Whether several choices may be taken."""
    own_words: bool = False
    """Whether words of one's own are an answer, too."""


@dataclass(frozen=True)
class ItemAnswer:
    """The answer to one of them: choices by number, from 1, or words, or both."""

    choices: tuple[int, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class QuestionSeen:
    """What an agent asks, and waits for a person to answer."""

    id: str
    tool: str
    text: str
    """All of it as plain lines: the command, the file, the questions with their choices."""
    at: int
    kind: str = ""
    """`permission`, `plan` or `choices`; "": an older runner, which does not say."""
    items: tuple[ItemSeen, ...] = ()
    """What is to be chosen, for the kind `choices`."""
    cut: bool = False
    """It asks more than this: nothing but a no is an answer."""

    @property
    def digest(self) -> str:
        """What an answer to it must carry."""
        return digest_of(self.id, self.kind, self.tool, self.text, [astuple(item) for item in self.items])
