"""The digest of a question: an answer carries that of what was shown.

So an answer to a question that has been replaced under the same id fits nowhere. Runner and home each make it of what
they hold, and neither believes the other's. Read by the runner, which must stay small.
"""

import json
from collections.abc import Sequence
from typing import Any


def digest_of(ident: str, kind: str, tool: str, text: str, items: Sequence[Sequence[Any]]) -> str:
    """Name all that a question shows, in 32 hexadecimal digits.

    `items`: as `wire.questions.ItemSeen`, each as the sequence of its fields.
    """
    from hashlib import sha256  # costs a runner a megabyte: not before something is asked

    return sha256(json.dumps([ident, kind, tool, text, items]).encode()).hexdigest()[:32]
