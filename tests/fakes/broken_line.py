"""A line between a client and a server of HTTP that breaks as it is told: answers of its own, bodies cut in the middle."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

CUT = -1
"""Instead of a status: the body ends in its middle, and with it the connection."""
_HOPS = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


@dataclass
class Line:
    """What the line does to the next requests of a method: a status, or `CUT`; then it is well.

    Attributes:
        url: where clients find it.
        plan: what becomes of the next ones; the last stays where `always`.
        always: whether the last of the plan stays.
        seen: the requests, as method and path.
    """

    url: str
    plan: list[int] = field(default_factory=list)
    always: bool = False
    seen: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def next(self, request: str) -> int:
        """What becomes of this request; 0: it is well."""
        with self.lock:
            self.seen.append(request)
            if not self.plan or not request.startswith("GET"):
                return 0
            return self.plan[0] if self.always and len(self.plan) == 1 else self.plan.pop(0)


@contextmanager
def broken_line(server: str) -> Iterator[Line]:
    """A line to a server, until the block ends."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=16)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _run(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            what = line.next(f"{self.command} {self.path}")
            if what > 0:
                self._send(what, {}, b"")
                return
            answer = pool.request(self.command, server + self.path, body=body, headers=dict(self.headers),
                                  retries=False, preload_content=False, decode_content=False)  # fmt: skip
            content = answer.read()
            self._send(answer.status, dict(answer.headers), content, cut=what == CUT)

        def _send(self, status: int, headers: dict[str, str], content: bytes, cut: bool = False) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _HOPS:
                    self.send_header(name, value)
            if not any(name.lower() == "content-length" for name in headers):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            self.wfile.flush()
            if cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _run  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        front.daemon_threads = True
        line = Line(f"http://127.0.0.1:{front.server_port}")
        thread = Thread(target=front.serve_forever, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            front.shutdown()
