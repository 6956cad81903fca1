"""What a question wants of a person."""

from controlroom.domain.model import Question


def wants_words(question: Question | None) -> bool:
    """Say whether it is answered with words or a number, not with yes or no."""
    return question is not None and question.title.startswith("AskUserQuestion")
