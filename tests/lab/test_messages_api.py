"""The stand-in for the Messages API says what the real one would."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlparse

import pytest

from tests.lab.messages_api.script import parse
from tests.lab.messages_api.server import Api

Answer = tuple[http.client.HTTPResponse, bytes]


def ask(api: Api, path: str, body: object = None, method: str = "POST", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlparse(api.url).netloc, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def message(prompt: str, stream: bool = False, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "m", "max_tokens": 99, "stream": stream, "tools": [{"name": "Bash"}], "messages": messages, **more}


def say(api: Api, prompt: str, **more: Any) -> Any:
    return json.loads(ask(api, "/v1/messages", message(prompt, **more))[1])


def test_text_and_headers(api: Api) -> None:
    answer, data = ask(api, "/v1/messages", message("[[text hello]]"))
    said = json.loads(data)
    assert (answer.status, said["content"][0]["text"], said["stop_reason"]) == (200, "hello", "end_turn")
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert api.requests()[0]["prompt"] == "[[text hello]]"


def test_a_stream_is_in_order_and_whole(api: Api) -> None:
    _, data = ask(api, "/agent/a7/v1/messages?beta=true", message("[[think t]][[text hello world]]", True))
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]
    names = [event["type"] for event in events]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]
    assert names.count("content_block_start") == 2
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "hello world"
    assert events[0]["message"]["usage"]["output_tokens"] == 1


def test_a_script_goes_on_with_each_reply(api: Api) -> None:
    prompt = '[[tool Bash {"command":"echo [[x]] {y} \\"}"}]][[text bye]]'
    said = say(api, prompt)
    block = said["content"][0]
    assert (said["stop_reason"], block["input"]["command"]) == ("tool_use", 'echo [[x]] {y} "}')
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "x"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": said["content"]},
        {"role": "user", "content": [result]},
    ]
    assert say(api, "", messages=messages)["content"][0]["text"] == "bye"
    messages[-1]["content"] += [
        {"type": "text", "text": "[Request interrupted by user]"},
        {"type": "text", "text": "[[text the next prompt]]"},
    ]
    assert say(api, "", messages=messages)["content"][0]["text"] == "the next prompt"


def test_errors_end_after_their_times_in_each_session(api: Api) -> None:
    prompt = "[[error 429 times=2 retry_after=3]][[text ok]]"
    for wanted in (429, 429, 200):
        answer, data = ask(api, "/v1/messages", message(prompt, True))
        assert answer.status == wanted
        if wanted == 429:
            assert answer.headers["retry-after"] == "3"
            assert json.loads(data)["error"]["type"] == "rate_limit_error"
    other = {"X-Claude-Code-Session-Id": "s2"}
    assert ask(api, "/v1/messages", message(prompt), **other)[0].status == 429


def test_mode_queue_and_reset(api: Api) -> None:
    api.configure(mode=529, mode_times=1)
    assert ask(api, "/v1/messages", message("x"))[0].status == 529
    assert ask(api, "/v1/messages", message("x"))[0].status == 200
    api.queue({"kind": "text", "text": "queued"}, match={"session": "s9"})
    assert b"queued" not in ask(api, "/v1/messages", message("x"))[1]
    assert b"queued" in ask(api, "/v1/messages", message("x"), **{"X-Claude-Code-Session-Id": "s9"})[1]
    with pytest.raises(KeyError, match="nope"):
        api.configure(nope=1)
    api.reset()
    assert api.requests() == []


def test_a_stream_that_breaks(api: Api) -> None:
    _, data = ask(api, "/v1/messages", message("[[midstream overloaded_error times=1]][[text abc]]", True))
    assert b"event: error" in data
    assert b"message_stop" not in data
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(api, "/v1/messages", message("[[drop times=1]][[text abcdefgh]]", True))


def test_usage_cache_and_plan_windows(api: Api) -> None:
    api.configure(ratelimit="unified", unified={"5h_utilization": 0.8})
    system = [{"type": "text", "text": "s" * 4000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first, second = (say(api, "[[text a]]", system=system)["usage"] for _ in range(2))
    assert first["cache_creation"]["ephemeral_1h_input_tokens"] > 900
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] > 900
    headers = ask(api, "/v1/messages", message("x"))[0].headers
    assert headers["anthropic-ratelimit-unified-5h-utilization"] == "0.8"
    assert headers["anthropic-ratelimit-unified-5h-surpassed-threshold"] == "0.75"
    api.configure(usage={"input_tokens": 7, "output_tokens": 9})
    usage = say(api, "x")["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 9)


def test_keys_counting_models_and_the_rest(api: Api) -> None:
    api.configure(require_key="k1")
    assert ask(api, "/v1/messages", message("x"))[0].status == 401
    assert ask(api, "/v1/messages", message("x"), authorization="Bearer k1")[0].status == 200
    assert json.loads(ask(api, "/v1/messages/count_tokens", message("x"))[1])["input_tokens"] > 5
    assert ask(api, "/v1/models", method="GET")[0].status == 200
    assert ask(api, "/nope", {})[0].status == 404


def test_each_key_is_answered_in_its_own_way(api: Api) -> None:
    api.configure(of_keys={"k1": {"mode": 401}, "k2": {"ratelimit": "unified", "unified": {"5h_utilization": 0.9}}})
    refused, _ = ask(api, "/v1/messages", message("hi"), **{"x-api-key": "k1"})
    let_in, _ = ask(api, "/v1/messages", message("hi"), authorization="Bearer k2")
    assert (refused.status, let_in.status) == (401, 200)
    assert let_in.headers["anthropic-ratelimit-unified-5h-utilization"] == "0.9"
    assert [entry["login"] for entry in api.requests()] == ["k1", "k2"]


def test_titles_schemas_and_the_classifier(api: Api) -> None:
    assert say(api, "x", tools=[])["content"][0]["text"] == "A title"
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    assert json.loads(say(api, "x", tools=[], output_config=wanted)["content"][0]["text"]) == {"title": "text"}
    said = say(api, "x", tools=[], system="You are a security monitor for agents")
    assert said["content"][0]["text"] == "<block>no</block>"


def test_decorations() -> None:
    assert parse("[[slow 0.5 12]][[hang 20]]") == [
        {"kind": "text", "text": None, "chunk_delay": 0.5, "chunks": 12, "first_delay": 20.0}
    ]
    assert [step["kind"] for step in parse('[[tools A {"x": 1} ;; B]] talk [[text t]]')] == ["tool", "text"]
    assert parse("no directive, [[unknown]]") == []
