"""Markdown as lines of a width."""

from __future__ import annotations

from controlroom.domain.display.markdown import Kind, lines

PAGE = """\
# Title

Some **strong** words with a [link](there.md), `code`
and a second line.
## Next
- one item
  that goes on
- another

![a picture](x.png)

```sh
# a comment, no heading

run it
```

| key | means |
|---|---|
| `a` `b` | first \\| last |
| `long` | more |
"""


def test_blocks_become_lines_of_their_kind() -> None:
    assert [(line.kind, line.text) for line in lines(PAGE, 80)] == [
        (Kind.HEADING, "Title"),
        (Kind.TEXT, ""),
        (Kind.TEXT, "Some strong words with a link, `code` and a second line."),
        (Kind.TEXT, ""),
        (Kind.HEADING, "Next"),
        (Kind.TEXT, ""),
        (Kind.TEXT, "- one item that goes on"),
        (Kind.TEXT, ""),
        (Kind.TEXT, "- another"),
        (Kind.TEXT, ""),
        (Kind.CODE, "  # a comment, no heading"),
        (Kind.CODE, ""),
        (Kind.CODE, "  run it"),
        (Kind.TEXT, ""),
        (Kind.LABEL, "key   means"),
        (Kind.TEXT, "a b   first | last"),
        (Kind.TEXT, "long  more"),
    ]


def test_a_table_without_room_becomes_entries() -> None:
    table = "| key | where | what |\n|---|---|---|\n| `k` | overview, agent | It ends an agent with all its work. |\n"
    assert lines(table, 30) == [
        (Kind.LABEL, "k · overview, agent"),
        (Kind.TEXT, "  It ends an agent with all"),
        (Kind.TEXT, "  its work."),
    ]


def test_long_code_goes_on_further_in() -> None:
    assert [line.text for line in lines("```\n    controlroom spawn docs-1 --cwd project\n```\n", 30)] == [
        "      controlroom spawn docs-1",
        "        --cwd project",
    ]
