"""One connection of a client: HTTP in, HTTP out."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlparse

from tests.lab.messages_api import limits, stream
from tests.lab.messages_api.defaults import ERRORS, MODELS, Json
from tests.lab.messages_api.request import Request
from tests.lab.messages_api.state import State

ORGANIZATION = "00000000-0000-4000-8000-000000000000"
CREATED = "2026-01-01T00:00:00Z"
UNAUTHORISED: Json = {"kind": "error", "status": 401, "first_delay": 0.0}
LONGEST_HOLD = 300.0  # seconds
MAY_WAIT = (429, 503, 529)  # statuses that carry retry-after


class Handler(BaseHTTPRequestHandler):
    """Answers as the Messages API does, by the server's state."""

    protocol_version = "HTTP/1.1"
    server_version = "messages-api-stand-in"
    sys_version = ""
    state: State

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing: requests are in the list."""

    # -- bytes

    def read_body(self) -> bytes:
        """The body, unpacked."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            data = self.read_chunks()
        else:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
        encoding = self.headers.get("content-encoding", "").lower()
        if encoding == "gzip":
            return gzip.decompress(data)
        return zlib.decompress(data) if encoding == "deflate" else data

    def read_chunks(self) -> bytes:
        """A chunked body."""
        data = b""
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return data

    def send_json(self, status: int, answer: Json, headers: dict[str, str]) -> None:
        """A whole answer."""
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_event(self, name: str, data: Json) -> None:
        """One server-sent event, in a chunk of its own."""
        text = f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        self.wfile.flush()

    def hang_up(self) -> None:
        """Close the connection with no more words."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    # -- routes

    def do_GET(self) -> None:
        """Any request."""
        raw = self.read_body()
        path = urlparse(self.path).path
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {"unreadable": raw[:2000].decode("latin-1")}
        try:
            if self.command == "POST" and path.endswith("/v1/messages"):
                self.messages(body)
            elif self.command == "POST" and path.endswith("/v1/messages/count_tokens"):
                self.count_tokens(body)
            else:
                self.other(path, body)
        except ConnectionError:
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def record(self, status: int, **more: object) -> None:
        """Remember this request."""
        entry = {"method": self.command, "path": self.path, "status": status, "headers": dict(self.headers.items())}
        self.state.record({**entry, **more})

    def other(self, path: str, body: Json) -> None:
        """Everything but messages."""
        status, answer = 200, self.known(path)
        if answer is not None and path.startswith("/v1/organizations/") and not self.authorised():
            status, (kind, message) = 401, ERRORS[401]
            answer = {"type": "error", "error": {"type": kind, "message": message}}
        if answer is None:
            status = self.state.config["other_status"]
            error = {"type": "not_found_error", "message": "Not found"}
            answer = {"type": "error", "error": error} if status >= 400 else {}
        self.record(status, body=body)
        self.send_json(status, answer, {"request-id": stream.identifier("req_")})

    def known(self, path: str) -> Json | None:
        """The answer of a path that the API has."""
        if path == "/" or path.endswith("/api/hello"):
            return {"message": "hello"}
        if path == "/v1/models":
            data = [model(name) for name in MODELS]
            return {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        if path == "/v1/organizations/rate_limits":
            return limits.organization(self.state.config["ceilings"])
        return model(path.rpartition("/")[2]) if path.startswith("/v1/models/") else None

    def count_tokens(self, body: Json) -> None:
        """POST /v1/messages/count_tokens."""
        request = Request(dict(self.headers.items()), body)
        self.record(200, **request.summary())
        self.send_json(200, {"input_tokens": request.tokens}, {"request-id": stream.identifier("req_")})

    # -- messages

    def authorised(self) -> bool:
        """Whether the client has the key that is asked for, if any."""
        wanted = self.state.config["require_key"]
        bearer = (self.headers.get("authorization") or "").removeprefix("Bearer ").strip()
        return wanted is None or wanted in (self.headers.get("x-api-key"), bearer)

    def messages(self, body: Json) -> None:
        """POST /v1/messages."""
        request = Request(dict(self.headers.items()), body)
        step = self.state.choose(request) if self.authorised() else UNAUTHORISED
        request_id = stream.identifier("req_")
        status: int = step["status"] if step["kind"] == "error" else 200
        self.record(status, request_id=request_id, step=step, **request.summary())
        self.state.open.wait(LONGEST_HOLD)
        time.sleep(step["first_delay"])
        if status != 200:
            self.send_error_step(request, step, request_id)
        else:
            self.send_answer(request, step, request_id)

    def send_error_step(self, request: Request, step: Json, request_id: str) -> None:
        """An error as the API words it."""
        config, status = self.state.config, step["status"]
        kind, message = ERRORS.get(status, ("api_error", f"HTTP {status}"))
        error: Json = {"type": step.get("error_type") or kind}
        error["message"] = step.get("message") or config["error_message"] or message
        if details := step.get("details") or config["error_details"]:
            error["details"] = details
        headers = {"request-id": request_id, **self.state.headers(request, status)}
        wait, again = (step.get(name) or config[name] for name in ("retry_after", "should_retry"))
        if wait is not None and status in MAY_WAIT:
            headers["retry-after"] = str(wait)
        if again is not None:
            headers["x-should-retry"] = str(again)
        self.send_json(status, {"type": "error", "error": error, "request_id": request_id}, headers)

    def send_answer(self, request: Request, step: Json, request_id: str) -> None:
        """An answer, streamed if the client wants that."""
        blocks, stop = stream.content(step, self.state.config["text"])
        message = {
            **stream.named(self.state.config["message_ids"]),
            "type": "message",
            "role": "assistant",
            "model": request.model,
            "content": blocks,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": self.state.usage(request, max(1, len(json.dumps(blocks)) // 4)),
        }
        headers = {
            "request-id": request_id,
            "anthropic-organization-id": ORGANIZATION,
            **self.state.headers(request, 200),
        }
        if request.stream:
            self.send_stream(step, message, headers, request_id)
        elif step["kind"] == "drop":
            self.hang_up()
        elif step["kind"] == "midstream":
            self.send_error_step(request, {"status": 529}, request_id)
        else:
            time.sleep(step["chunks"] * step["chunk_delay"])
            self.send_json(200, message, headers)

    def send_stream(self, step: Json, message: Json, headers: dict[str, str], request_id: str) -> None:
        """A streamed answer, or the first half of one that breaks."""
        self.send_response(200)
        for name, value in {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "transfer-encoding": "chunked",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        broken = step["kind"] in ("midstream", "drop")
        whole = stream.events(message, step["chunks"])
        for name, data in stream.first_half(whole) if broken else whole:
            self.send_event(name, data)
            if name == "content_block_delta":
                self.state.deltas += 1
                time.sleep(step["chunk_delay"])
        if step["kind"] == "midstream":
            self.send_event(
                "error", {"error": {"type": step["error"], "message": "Overloaded"}, "request_id": request_id}
            )
        if step["kind"] != "drop":
            self.wfile.write(b"0\r\n\r\n")
        if broken:
            self.hang_up()


def model(name: str) -> Json:
    """An entry of the list of models."""
    return {"type": "model", "id": name, "display_name": name, "created_at": CREATED}
