"""An answer as the API streams it: content blocks, and the events that carry them."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator

from tests.lab.messages_api.defaults import Json

Event = tuple[str, Json]
ALPHABET = string.ascii_letters + string.digits
COUNTED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def identifier(prefix: str) -> str:
    """An id of the API's form."""
    return prefix + "01" + "".join(random.choices(ALPHABET, k=22))


def named(how: str) -> Json:
    """The id of a message, as the API gives one, or as gateways do: `null`, `empty` or `absent`."""
    known: dict[str, Json] = {"null": {"id": None}, "empty": {"id": ""}, "absent": {}}
    return known.get(how, {"id": identifier("msg_")})


def content(step: Json, default_text: str) -> tuple[list[Json], str]:
    """The content blocks of a step and its stop_reason."""
    blocks: list[Json] = []
    if step.get("thinking"):
        blocks.append({"type": "thinking", "thinking": step["thinking"], "signature": "c2lnbmVk"})
    text = step.get("text")
    if step["kind"] != "tool":
        blocks.append({"type": "text", "text": default_text if text is None else text})
        return blocks, step.get("stop_reason", "end_turn")
    if text:
        blocks.append({"type": "text", "text": text})
    for tool in step["tools"]:
        name, given = tool["name"], tool.get("input", {})
        blocks.append({"type": "tool_use", "id": identifier("toolu_"), "name": name, "input": given})
    return blocks, step.get("stop_reason", "tool_use")


def split(text: str, count: int) -> list[str]:
    """A text in about `count` pieces."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def deltas(block: Json, chunks: int) -> tuple[Json, list[Json]]:
    """The empty block that opens, and the deltas that fill it."""
    if block["type"] == "text":
        pieces = split(block["text"], chunks)
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
    if block["type"] == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in split(block["thinking"], chunks)]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signature]
    pieces = ["", *split(json.dumps(block["input"]), 2)]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def block_events(index: int, block: Json, chunks: int) -> Iterator[Event]:
    """The events of one content block."""
    opening, parts = deltas(block, chunks)
    yield "content_block_start", {"index": index, "content_block": opening}
    if index == 0:
        yield "ping", {}
    for part in parts:
        yield "content_block_delta", {"index": index, "delta": part}
    yield "content_block_stop", {"index": index}


def events(message: Json, chunks: int) -> list[Event]:
    """All events of a whole message; `output_tokens` is 1 at the start, as the API has it, and right at the end."""
    usage = message["usage"]
    empty = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    blocks = [event for n, block in enumerate(message["content"]) for event in block_events(n, block, chunks)]
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return [
        ("message_start", {"message": empty}),
        *blocks,
        ("message_delta", {"delta": stop, "usage": {name: usage[name] for name in COUNTED}}),
        ("message_stop", {}),
    ]


def first_half(whole: list[Event]) -> list[Event]:
    """The events up to the middle of the content: what arrives before a stream breaks."""
    places = [n for n, (name, _) in enumerate(whole) if name == "content_block_delta"]
    return whole[: places[len(places) // 2] + 1] if places else whole[:1]
