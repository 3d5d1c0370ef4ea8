"""A JSON service on loopback: routes, state, faults. The fakes of Vertex AI, Kubeflow and Kubernetes stand on it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


class ProblemError(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        message: what a client is told.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(status, message)


@dataclass(frozen=True)
class Request:
    """A request as a route gets it.

    Attributes:
        method: HTTP method.
        path: decoded path.
        query: query parameters.
        body: decoded JSON; None where there is none.
        headers: headers, names in lower case.
        raw: the body's bytes.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    raw: bytes = b""


Route = Callable[..., Any]


@dataclass
class Fault:
    """What goes wrong: the next `times` requests whose method and path match are answered by an error.

    Where the answer is `lost`, the request is served all the same.
    """

    pattern: str
    status: int
    message: str
    times: int = 1
    lost: bool = False


@dataclass
class Rest:
    """A service; subclasses list their routes.

    Attributes:
        routes: (method, pattern of the path, function of the request and the pattern's groups).
        requests: all requests so far.
        faults: what is to go wrong.
    """

    routes: list[tuple[str, str, Route]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve on a free port of loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def fail(self, pattern: str, status: int, message: str, times: int = 1, *, lost: bool = False) -> None:
        """Have the next requests fail whose ``METHOD path`` matches."""
        self.faults.append(Fault(pattern, status, message, times, lost))

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and body of a request's answer."""
        with self.lock:
            self.requests.append(request)
            try:
                self._go_wrong(request, lost=False)
                for method, pattern, route in self.routes:
                    match = re.fullmatch(pattern, request.path)
                    if match and method == request.method:
                        made = route(request, *match.groups())
                        self._go_wrong(request, lost=True)
                        return 200, made
                raise ProblemError(404, f"no such path: {request.method} {request.path}")
            except ProblemError as problem:
                return problem.status, self.error(problem)

    def _go_wrong(self, request: Request, *, lost: bool) -> None:
        for fault in self.faults:
            if fault.times > 0 and fault.lost is lost and re.search(fault.pattern, f"{request.method} {request.path}"):
                fault.times -= 1
                raise ProblemError(fault.status, fault.message)

    def error(self, problem: ProblemError) -> Any:
        """The body of an error."""
        return {"error": {"code": problem.status, "message": problem.message}}


def _handler(service: Rest) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet, or the client's system waits 40 ms for the second

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                body = None
            request = Request(
                self.command, unquote(parts.path), dict(parse_qsl(parts.query)), body,
                {name.lower(): value for name, value in self.headers.items()}, raw,
            )  # fmt: skip
            status, made = service.answer(request)
            content = made if isinstance(made, bytes) else json.dumps(made).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler
