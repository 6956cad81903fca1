"""Answering the items of a question one after the other: what has been said, and what is asked now."""

from dataclasses import dataclass, replace

from controlroom.domain.questions import Item, ItemAnswer, Question, Unfit, answer_words, fitting, how, read_answer


@dataclass(frozen=True)
class Row:
    """One line that shows a step. `number`: what a tap on it, or its digit, takes; 0: nothing."""

    text: str
    number: int = 0
    strong: bool = False


@dataclass(frozen=True)
class Draft:
    """The answers so far, an empty one for an item without. After the last of several items all are looked at again."""

    question: Question
    answers: tuple[ItemAnswer, ...] = ()
    step: int = 0
    """The item that is asked now, from 0; their number: all are answered."""

    @property
    def item(self) -> Item | None:
        """What is asked now; None: all is answered."""
        items = self.question.items
        return items[self.step] if self.step < len(items) else None

    @property
    def offered(self) -> int:
        """How many numbers can be taken now."""
        item = self.item
        return min(9, len(item.options) if item else len(self.question.items))

    @property
    def now(self) -> ItemAnswer:
        """What is said to the item that is asked now."""
        return self.answers[self.step] if self.step < len(self.answers) else ItemAnswer()

    @property
    def ready(self) -> bool:
        """Whether everything has its answer and was on show, so that it can be sent."""
        try:
            fitting(self.question, "", self._all)
        except Unfit:
            return False
        return self.step >= len(self.question.items) - (len(self.question.items) == 1)

    def take(self, number: int) -> "Draft":
        """Take (or leave) a choice and go on when that was all; with all answered, go back to the item of a number."""
        item = self.item
        if not 0 < number <= self.offered:
            return self
        if item is None:
            return replace(self, step=number - 1)
        if not item.several:
            return self._said(ItemAnswer((number,)))._onward()
        kept = tuple(one for one in self.now.choices if one != number)
        return self._said(replace(self.now, choices=kept if number in self.now.choices else (*kept, number)))

    def say(self, words: str) -> "Draft":
        """Answer the item that is asked now in words, or by the numbers or labels in them. Raises `Unfit`."""
        if self.item is None:
            return self
        return self._said(read_answer(self.item, words)).onward()

    def onward(self) -> "Draft":
        """Go on to the next item. Raises `Unfit` when this one has no answer that fits."""
        item = self.item
        if item is None:
            return self
        if not self.now.choices and not self.now.words:
            raise Unfit(f"it wants an answer: {how(item)}")
        fitting(replace(self.question, items=(item,)), "", (self.now,))
        return self._onward()

    @property
    def _all(self) -> tuple[ItemAnswer, ...]:
        missing = len(self.question.items) - len(self.answers)
        return (*self.answers, *[ItemAnswer()] * missing)

    def _said(self, answer: ItemAnswer) -> "Draft":
        numbered = enumerate(self._all)
        return replace(self, answers=tuple(answer if number == self.step else one for number, one in numbered))

    def _onward(self) -> "Draft":
        """The next item without an answer; with one item alone it stays."""
        number = len(self.question.items)
        if number == 1:
            return self
        open_ones = [at for at, one in enumerate(self._all) if not one.choices and not one.words.strip()]
        return replace(self, step=next((at for at in open_ones if at > self.step), min(open_ones, default=number)))

    def rows(self) -> list[Row]:
        """Give the lines that show what is asked now, or all that was answered."""
        item = self.item
        if item is None:
            said = answer_words(self.question, self.answers)
            return [Row("Is this your answer?", strong=True)] + [
                Row(f"  {number}. {row}", number) for number, row in enumerate(said, 1)
            ]
        several = len(self.question.items)
        head = " · ".join(
            [f"question {self.step + 1} of {several}"] * (several > 1) + [item.header] * bool(item.header)
        )
        shown = [Row(head)] * (several > 1) + [Row(item.question, strong=True)]
        for number, option in enumerate(item.options, 1):
            words = " - ".join(part for part in (option.label, option.description) if part)
            mark = ("[x] " if number in self.now.choices else "[ ] ") if item.several else ""
            shown.append(Row(f"  {mark}{number}. {words}", number))
            shown += [Row(f"     │ {line}", number) for line in option.preview.split("\n") if option.preview]
        return shown + [Row(f"  your words: {self.now.words}")] * bool(self.now.words)
