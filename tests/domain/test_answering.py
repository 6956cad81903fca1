"""Several questions answered one after the other, and looked at again before they are sent."""

import pytest

from controlroom.domain.questions import Draft, Question, QuestionKind, Unfit
from controlroom.text.states import Item, ItemAnswer, Option

PARTS = Item("Which parts?", "Parts", (Option("Auth"), Option("Cache"), Option("Docs")), several=True, own_words=True)
REGION = Item("Which region?", "Region", (Option("eu-1", "Europe", "a\nb"), Option("us-1")), own_words=True)


def draft(*items: Item) -> Draft:
    return Draft(Question("q", QuestionKind.CHOICES, "Which?", "Which?", 0, items))


def texts(draft: Draft) -> list[str]:
    return [row.text for row in draft.rows()]


def test_one_question_is_answered_by_its_number() -> None:
    done = draft(REGION).take(2)
    assert (done.ready, done.answers) == (True, (ItemAnswer((2,)),))
    assert not draft(REGION).take(3).ready


def test_of_several_choices_each_is_taken_and_left_again() -> None:
    asked = draft(PARTS)
    assert not asked.ready
    taken = asked.take(1).take(2).take(3).take(2)
    assert (taken.ready, taken.answers) == (True, (ItemAnswer((1, 3)),))
    assert texts(taken) == ["Which parts?", "  [x] 1. Auth", "  [ ] 2. Cache", "  [x] 3. Docs"]
    assert not taken.take(1).take(3).ready


def test_several_questions_come_one_after_the_other_and_are_shown_before_they_are_sent() -> None:
    first = draft(REGION, PARTS, REGION)
    assert texts(first) == [
        "question 1 of 3 · Region", "Which region?", "  1. eu-1 - Europe", "     │ a", "     │ b", "  2. us-1",
    ]  # fmt: skip
    second = first.take(1)
    assert texts(second)[:2] == ["question 2 of 3 · Parts", "Which parts?"]
    with pytest.raises(Unfit, match="numbers of choices or words"):
        second.onward()
    third = second.take(1).take(2).onward()
    assert third.step == 2
    assert not third.ready
    last = third.say("the moon")
    assert texts(last) == [
        "Is this your answer?",
        "  1. Region: eu-1",
        "  2. Parts: Auth, Cache",
        "  3. Region: the moon",
    ]
    assert last.ready
    again = last.take(1)
    assert (again.step, again.ready) == (0, False)
    assert again.take(2).answers == (ItemAnswer((2,)), ItemAnswer((1, 2)), ItemAnswer((), "the moon"))
    assert again.take(2).ready


def test_words_that_fit_no_question_are_refused() -> None:
    with pytest.raises(Unfit, match="there is no 9"):
        draft(REGION).say("9")
    with pytest.raises(Unfit):
        draft(REGION).say("  ")
    assert draft(REGION).say("US-1").answers == (ItemAnswer((2,)),)
