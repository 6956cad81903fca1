"""What the README says is what the code does."""

import re

from tests.documents import README, filled


def test_the_readme_is_as_the_code_has_it() -> None:
    text = README.read_text()
    assert filled(text) == text, "run: python -m tests.documents"


def test_every_picture_of_the_readme_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text()):
        assert (README.parent / path).is_file(), path
