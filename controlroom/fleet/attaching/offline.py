"""What front ends can learn without an engine. What it needs is loaded when it is asked."""

from controlroom.domain.calculators.estimate import Wish
from controlroom.fleet.conversation.advice_questions import Estimated


def estimate_offline(wish: Wish) -> Estimated:
    """Estimate what a fleet needs from the data files alone. It blocks, for seconds when prices were never listed."""
    from controlroom.fleet.money.advisor import offline

    return offline(wish)
