"""What the stand-in knows: its configuration, the queue, what was asked, used and cached."""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from typing import Any

from tests.lab.messages_api import limits, script
from tests.lab.messages_api.defaults import CONFIG, Json
from tests.lab.messages_api.request import Request, schema_example

MOST_REQUESTS = 2000  # kept in the list


class State:
    """Shared by all connections of one server; every method may be called from any thread."""

    def __init__(self, config: Json) -> None:
        self.lock = threading.RLock()
        self.open = threading.Event()
        """Whether messages are answered; while it is not set, who asks waits."""
        self.open.set()
        self.initial = {**copy.deepcopy(CONFIG), **copy.deepcopy(config)}
        self.reset()

    def reset(self) -> None:
        """As it was in the beginning."""
        with self.lock:
            self.config: Json = copy.deepcopy(self.initial)
            self.queue: list[Json] = []
            self.requests: list[Json] = []
            self.count = 0
            self.deltas = 0  # pieces of streamed answers that were sent
            self.failed: Counter[str] = Counter()  # failing steps already served
            self.cache: dict[tuple[str, str, str], int] = {}  # tokens that a session has cached
            self.used: Counter[str] = Counter()
            self.mode_served = 0

    def configure(self, changes: Json) -> None:
        """Change the configuration; dicts are merged. KeyError for an unknown key."""
        unknown = set(changes) - set(CONFIG)
        if unknown:
            raise KeyError(f"unknown: {', '.join(sorted(unknown))}")
        with self.lock:
            for name, value in changes.items():
                old = self.config[name]
                self.config[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            if "mode" in changes:
                self.mode_served = 0

    def enqueue(self, steps: list[Json], match: Json | None) -> None:
        """Serve these steps before anything else, to requests that match."""
        with self.lock:
            self.queue.append({"steps": copy.deepcopy(steps), "match": match})

    def record(self, entry: Json) -> None:
        """Remember a request."""
        with self.lock:
            self.count += 1
            self.requests.append({"number": self.count, **entry})
            del self.requests[:-MOST_REQUESTS]

    # -- choosing

    def choose(self, request: Request) -> Json:
        """The step to serve, a dict with "kind", and its pace."""
        with self.lock:
            pace = {name: self.config[name] for name in ("first_delay", "chunks", "chunk_delay")}
            step = self.queued(request) or self.error_mode(request)
            return {**pace, **(step or self.auxiliary(request) or self.scripted(request))}

    def queued(self, request: Request) -> Json | None:
        """The next step of the first queue entry that matches."""
        for entry in self.queue:
            if matches(entry["match"], request):
                step: Json = entry["steps"][0]
                step["times"] = step.get("times", 1) - 1
                if step["times"] <= 0:
                    entry["steps"].pop(0)
                self.queue = [entry for entry in self.queue if entry["steps"]]
                return dict(step)
        return None

    def error_mode(self, request: Request) -> Json | None:
        """The error of a mode that is not "ok"."""
        of_key = self.config["of_keys"].get(request.login, {})
        if of_key.get("mode", "ok") != "ok":
            return {"kind": "error", "status": int(of_key["mode"])}
        mode, most, models = (self.config[name] for name in ("mode", "mode_times", "mode_models"))
        if mode == "ok" or (most is not None and self.mode_served >= most):
            return None
        if models is not None and not any(model in request.model for model in models):
            return None
        self.mode_served += 1
        return {"kind": "error", "status": int(mode)}

    def auxiliary(self, request: Request) -> Json | None:
        """The answer to a request that is not of the main loop."""
        if not request.is_aux:
            return None
        if request.schema is not None:
            return {"kind": "text", "text": json.dumps(schema_example(request.schema)), "chunks": 1}
        text = self.config["classifier_text" if request.is_classifier else "aux_text"]
        return {"kind": "text", "text": text, "chunks": 1}

    def scripted(self, request: Request) -> Json:
        """The step that the prompt's script has come to."""
        try:
            steps = script.parse(request.prompt)
        except ValueError as error:
            return {"kind": "text", "text": f"messages_api: a broken directive: {error}"}
        step = steps[request.replies] if request.replies < len(steps) else {"kind": "text"}
        for number, failure in enumerate(step.get("before", [])):
            key = f"{request.key}#{number}"
            if self.failed[key] < failure["times"]:
                self.failed[key] += 1
                return dict(failure)
        return step

    # -- numbers

    def usage(self, request: Request, output_tokens: int) -> Json:
        """The usage of an answer, which also counts against the limits."""
        with self.lock:
            usage = self.fixed_usage(output_tokens) or self.computed_usage(request, output_tokens)
            created = usage["cache_creation_input_tokens"]
            fresh, output = usage["input_tokens"] + created, usage["output_tokens"]
            self.used.update({"requests": 1, "input-tokens": fresh, "output-tokens": output, "tokens": fresh + output})
            split = {
                "ephemeral_5m_input_tokens": 0 if request.one_hour else created,
                "ephemeral_1h_input_tokens": created if request.one_hour else 0,
            }
            return {"cache_creation": split, "service_tier": self.config["service_tier"], **usage}

    def fixed_usage(self, output_tokens: int) -> Json | None:
        """The usage that the configuration wants."""
        if self.config["usage"] is None:
            return None
        nothing = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        return {**nothing, "output_tokens": output_tokens, **self.config["usage"]}

    def computed_usage(self, request: Request, output_tokens: int) -> Json:
        """What was sent before in the same session and model is read from the cache, the rest is written to it."""
        if not request.cached:
            fresh, read, created = request.tokens, 0, 0
        else:
            key = (request.session, request.agent, request.model)
            fresh, read = 3, min(self.cache.get(key, 0), request.tokens)
            created = max(0, request.tokens - read - fresh)
            self.cache[key] = request.tokens
        return {
            "input_tokens": fresh,
            "cache_creation_input_tokens": created,
            "cache_read_input_tokens": read,
            "output_tokens": output_tokens,
        }

    def headers(self, request: Request, status: int) -> dict[str, str]:
        """The rate-limit headers of an answer."""
        with self.lock:
            of_key = self.config["of_keys"].get(request.login, {})
            unified = {**self.config["unified"], **of_key.get("unified", {})}
            return limits.headers({**self.config, **of_key, "unified": unified}, self.used, status)


def matches(match: Json | None, request: Request) -> bool:
    """Whether a queue entry is for this request; without a match it is for any of the main loop."""
    if match is None:
        return not request.is_aux
    asked: dict[str, Any] = {"session": request.session, "model": request.model, "prompt": request.prompt}
    return all(part in asked[name] for name, part in match.items())
