"""Use that cannot be true as a host claims it, as people see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DoubtedUse:
    """One booking that was set aside. Money: micro-dollars at list prices; `at`: UTC milliseconds."""

    number: int
    at: int
    agent: str
    """Its id."""
    message: str
    """Of the API's message; "": what Claude reports of a run."""
    tokens: int
    claimed: int
    counted: int
    settled: str = ""
    """`struck` or `accepted`, "" while it is open."""
