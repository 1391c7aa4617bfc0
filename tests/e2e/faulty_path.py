"""The way between the functions and AWS on a bad day: a proxy that throttles, cuts and kills at exactly the call a test
names.

    function ──► this proxy ──► MiniStack            the console, the event sources and the tests go straight there

| kind | processed? | what the function sees |
|---|---|---|
| `throttle` | no | the service's own *slow down*, as its SDK knows it |
| `unavailable` | no | the service's own 5xx |
| `reset` | no | a cut connection |
| `lost_answer` | yes | a cut connection |
| `twice` | yes, twice | the second answer: a message that was sent again on its way |
| `kill_before` | no | nothing: its process is dead |
| `kill_after` | yes | nothing: its process is dead |

Requests pass byte by byte, since their signatures are checked. Who calls is in the user agent: `through` gives every
function its name there, and this proxy as its endpoint. The template is not touched.
"""

import json
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from infra.local.cloud import Cloud

Kind = Literal["throttle", "unavailable", "reset", "lost_answer", "twice", "kill_before", "kill_after"]
PROCESSED: frozenset[Kind] = frozenset({"lost_answer", "twice", "kill_after"})
MIXED: tuple[Kind, ...] = ("throttle", "unavailable", "reset", "lost_answer")
"""What a bad network and a busy service do at any time."""
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect"})
ANSWER_WITHIN_S = 60.0

_TARGET = re.compile(r"\.(\w+)$")
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_CALLER = re.compile(r"\bapp/(\w+)")


@dataclass
class Fault:
    """At most `times` calls that match the regular expression `call` meet `kind`, once `after` others have passed.

    A call is "function service Operation": `charge_autopay dynamodb TransactWriteItems`. A function's own retries count
    as calls, too. `met`: how often it happened.
    """

    kind: Kind
    call: str
    after: int = 0
    times: int = 1
    met: int = 0

    def takes(self, call: str) -> bool:
        """Whether this call meets the fault; counts it."""
        if self.met >= self.times or not re.search(self.call, call):
            return False
        if self.after:
            self.after -= 1
            return False
        self.met += 1
        return True


@dataclass
class Mix:
    """Of all calls, `per_cent` meet one of `kinds`. Which ones follows from the seed, the call's name and how many of
    that name there were before, so threads that overtake each other change little."""

    seed: int
    per_cent: int
    kinds: tuple[Kind, ...] = MIXED
    met: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)

    def draw(self, call: str) -> Kind | None:
        self._seen[call] += 1
        dice = random.Random(f"{self.seed} {call} {self._seen[call]}")
        if dice.randrange(100) >= self.per_cent:
            return None
        kind = dice.choice(self.kinds)
        self.met[kind] += 1
        return kind


class FaultyPath:
    """The proxy, on a port of its own. `kill`: ends every process of a function, without a word."""

    def __init__(self, cloud: Cloud, kill: Callable[[str], None]) -> None:
        self.kill = kill
        self.upstream = (cloud.endpoint or "").removeprefix("http://")
        self._faults: list[Fault] = []
        self._mix: Mix | None = None
        self._deciding = threading.Lock()
        path = self

        class Handler(_Handler):
            faulty = path

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._serving.start()
        self._through(cloud)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _through(self, cloud: Cloud) -> None:
        """Send every function's calls this way."""
        for function in cloud.functions.list_functions()["Functions"]:
            name = function["FunctionName"]
            variables = function["Environment"]["Variables"] | {
                "AWS_ENDPOINT_URL": self.address,
                "AWS_SDK_UA_APP_ID": name.rsplit("-", 1)[-1],
            }
            cloud.functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    def close(self) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    @contextmanager
    def faults(self, *faults: Fault) -> Iterator[None]:
        """These happen inside the block; each of them must, or the test has shown nothing. The first that takes a call
        has it."""
        with self._deciding:
            self._faults = list(faults)
        try:
            yield
        finally:
            with self._deciding:
                self._faults = []
        unmet = [fault for fault in faults if not fault.met]
        assert not unmet, f"never happened: {unmet}"

    @contextmanager
    def mixed(self, mix: Mix) -> Iterator[None]:
        """Any call may meet a fault inside the block."""
        with self._deciding:
            self._mix = mix
        try:
            yield
        finally:
            with self._deciding:
                self._mix = None

    def fault_of(self, call: str) -> Kind | None:
        """What this call meets."""
        with self._deciding:
            for fault in self._faults:
                if fault.takes(call):
                    return fault.kind
            return self._mix.draw(call) if self._mix else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faulty: FaultyPath

    def handle(self) -> None:
        self.upstream = HTTPConnection(self.faulty.upstream, timeout=ANSWER_WITHIN_S)
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # a function that was killed hangs up in the middle
        finally:
            self.upstream.close()

    def do_GET(self) -> None:
        assert "transfer-encoding" not in self.headers, "a request in chunks: teach this proxy to read one"
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        caller, service, operation = self._who(), self._service(), self._operation()
        kind = self.faulty.fault_of(f"{caller} {service} {operation}")
        if kind is None or kind in PROCESSED:
            answer = self._forward(body)
            content = answer.read()
            if kind == "twice":
                answer = self._forward(body)
                content = answer.read()
        if kind in ("kill_before", "kill_after"):
            self.faulty.kill(caller)
        if kind in ("throttle", "unavailable"):
            self._answer(*_refusal(kind, service))
        elif kind is None or kind == "twice":
            self._answer(answer.status, answer.getheaders(), content)
        else:
            self._cut()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the library's way to name them

    def _forward(self, body: bytes) -> HTTPResponse:
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.upstream.putheader(name, value)
        self.upstream.endheaders(body)
        return self.upstream.getresponse()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _cut(self) -> None:
        """Reset the connection: whoever waits for an answer gets none."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _who(self) -> str:
        found = _CALLER.search(self.headers.get("user-agent", ""))
        assert found, f"who is this? {self.headers}"
        return found[1]

    def _service(self) -> str:
        found = _SERVICE.search(self.headers.get("authorization", ""))
        return found[1] if found else ""

    def _operation(self) -> str:
        if target := _TARGET.search(self.headers.get("x-amz-target", "")):
            return target[1]
        if self.path.endswith("/outbound-emails"):
            return "SendEmail"
        return f"{self.command.capitalize()}Object"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing on standard error."""


def _refusal(kind: Kind, service: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of a service that will not: as AWS documents the error for each."""
    busy = kind == "throttle"
    if service == "s3":
        code, status = ("SlowDown", 503) if busy else ("InternalError", 500)
        return status, [("content-type", "application/xml")], f"<Error><Code>{code}</Code></Error>".encode()
    if service == "ses":
        code, status = ("TooManyRequestsException", 429) if busy else ("InternalServiceErrorException", 500)
        return status, [("content-type", "application/json"), ("x-amzn-errortype", code)], b"{}"
    throttles = {"dynamodb": "ProvisionedThroughputExceededException", "sqs": "RequestThrottled"}
    code, status = (throttles.get(service, "ThrottlingException"), 400) if busy else ("InternalServerError", 500)
    content = json.dumps({"__type": f"com.amazonaws.{service}#{code}", "message": "a fault on purpose"})
    return status, [("content-type", "application/x-amz-json-1.0")], content.encode()
