"""A stand-in for a forge as GitHub Enterprise Server is one, for the real `gh`, with a bare repository behind it.

It is reached as `https://NAME` through a proxy on loopback (`HTTPS_PROXY`), with a certificate by a CA of its own
(`SSL_CERT_FILE`). It answers the requests of GitHub's REST API about a repository and its pull requests, and those of
GraphQL that `gh pr create` and `gh pr view` 2.23 make (observed).
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlparse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Json = dict[str, Any]

TOKEN = "gho_" + "a1B2c3D4e5F6" * 3
"""The login that may do all."""

READER = "gho_" + "r1E2a3D4e5R6" * 3
"""One that may look alone."""


class Forge:
    """One repository at one forge. It serves for as long as the block lasts."""

    def __init__(self, folder: Path, host: str, name: str, bare: Path) -> None:
        self.host, self.name, self.bare = host, name, bare
        self.pulls: list[Json] = []
        self.requests: list[str] = []
        self.instead: dict[str, tuple[int, Json] | None] = {}
        """By `METHOD PATH`: answered in place of what is true; None: never."""
        self.and_does_it = False
        """Whether what is answered otherwise is done all the same."""
        self.over = threading.Event()
        self._ca = folder / "forge-ca.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certified(host, self._ca, folder / "forge.pem"))
        self._server = _Server(self, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Forge:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environ(self) -> dict[str, str]:
        """How programs reach it, and nothing else by the way."""
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self._server.server_port}", "SSL_CERT_FILE": str(self._ca)}

    # ------------------------------------------------------------------ what it answers

    def answer(self, method: str, target: str, token: str, given: Json) -> tuple[int, Json | list[Json]] | None:
        """Answer a request; None: never."""
        place = urlparse(target)
        key = f"{method} {place.path.removeprefix('/api/v3/')}"
        self.requests.append(key)
        if key in self.instead:
            if self.and_does_it:
                self._true(key, target, token, given)
            return self.instead[key]
        return self._true(key, target, token, given)

    def _true(self, key: str, target: str, token: str, given: Json) -> tuple[int, Json | list[Json]]:
        if token and token not in (TOKEN, READER):
            return 401, {"message": "Bad credentials"}
        match key.replace(self.name, "NAME"):
            case "GET ":
                return 200, {}
            case "GET repos/NAME":
                rights = {"permissions": {"pull": True, "push": token == TOKEN}} if token else {}
                return 200, {"full_name": self.name, "default_branch": "main", **rights}
            case "GET repos/NAME/pulls":
                query = {name: values[0] for name, values in parse_qs(urlparse(target).query).items()}
                return 200, self._listed(query)
            case "POST repos/NAME/pulls":
                return self._made(token, given)
            case "POST /api/graphql":
                return 200, self._graph(token, given)
        return 404, {"message": "Not Found"}

    def _listed(self, query: dict[str, str]) -> list[Json]:
        owner = self.name.partition("/")[0]
        return [
            pull
            for pull in self.pulls
            if query.get("state", "open") == pull["state"]
            and query.get("head") in (None, f"{owner}:{pull['head']['ref']}")
            and query.get("base") in (None, pull["base"]["ref"])
        ]

    def _made(self, token: str, given: Json) -> tuple[int, Json]:
        if token != TOKEN:
            return 403, {"message": "Resource not accessible by personal access token"}
        if problem := self._problem(given):
            return 422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "message": problem}]}
        number = 7 + len(self.pulls)
        head, base = {"ref": given["head"], "sha": self._commit(given["head"])}, {"ref": given["base"]}
        page = f"https://{self.host}/{self.name}/pull/{number}"
        kept = {key: given.get(key) for key in ("title", "body", "draft")}
        self.pulls.append({"number": number, "state": "open", "html_url": page, "head": head, "base": base, **kept})
        return 201, self.pulls[-1]

    def _problem(self, given: Json) -> str:
        owner, head, base = self.name.partition("/")[0], str(given.get("head")), str(given.get("base"))
        if not self._commit(head) or not self._commit(base):
            return f"{'head' if self._commit(base) else 'base'} is invalid"
        if self._git("rev-list", "--count", f"{base}..{head}") == "0":
            return f"No commits between {base} and {head}"
        if self._listed({"head": f"{owner}:{head}", "base": base}):
            return f"A pull request already exists for {owner}:{head}."
        return ""

    def _graph(self, token: str, given: Json) -> Json:
        """Answer what `gh pr create` asks: about the repository, about one that is there, and for a new one."""
        query = str(given.get("query"))
        if "createPullRequest" in query:
            wanted = given["variables"]["input"]
            body = {"head": wanted["headRefName"], "base": wanted["baseRefName"]}
            status, made = self._made(token, {**body, **{key: wanted.get(key) for key in ("title", "body", "draft")}})
            if status != 201:
                words = [error["message"] for error in made.get("errors", [made])]
                return {"data": {"createPullRequest": None}, "errors": [{"message": word} for word in words]}
            return {"data": {"createPullRequest": {"pullRequest": {"id": "P", "url": made["html_url"]}}}}
        about: Json = {"id": "R", "name": self.name.partition("/")[2], "owner": {"login": self.name.partition("/")[0]}}
        about |= {"hasIssuesEnabled": True, "viewerPermission": "WRITE", "defaultBranchRef": {"name": "main"}}
        there = [
            {"number": pull["number"], "url": pull["html_url"], "state": "OPEN", "isDraft": False, "id": "P"}
            | {"headRefName": pull["head"]["ref"], "baseRefName": pull["base"]["ref"], "isCrossRepository": False}
            for pull in self.pulls
            if pull["head"]["ref"] == given.get("variables", {}).get("headRefName")
        ]
        return {"data": {"repository": about | {"parent": None, "pullRequests": {"nodes": there}}}}

    def _commit(self, branch: str) -> str:
        return self._git("rev-parse", "-q", "--verify", f"refs/heads/{branch}")

    def _git(self, *words: str) -> str:
        argv = ["git", "-C", str(self.bare), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout.strip()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, forge: Forge, context: ssl.SSLContext) -> None:
        self.forge, self.context = forge, context
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection: it asks to be passed on to the forge, and then speaks to it by TLS."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_CONNECT(self) -> None:
        if self.path != f"{self.server.forge.host}:443":
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        body = self._body()
        token = re.sub(r"^(?:token|bearer) ", "", self.headers.get("authorization") or "", flags=re.IGNORECASE)
        answer = self.server.forge.answer(self.command, self.path, token, json.loads(body) if body else {})
        if answer is None:
            self.server.forge.over.wait(60)
            self.close_connection = True
            return
        text = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        head = {"Content-Type": "application/json", "Content-Length": str(len(text))}
        for name, value in (head | {"X-Oauth-Scopes": "repo, read:org"}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.do_GET()

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _certified(host: str, ca: Path, both: Path) -> Path:
    """Make a certificate for a host that is its own CA: into `ca`, and with its key into `both`, which is returned."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(plain + ca.read_bytes())
    return both
