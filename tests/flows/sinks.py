"""Receivers on loopback that record what reaches them, and fail when they are told to."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"ok")


@dataclass
class Sink:
    """An HTTP server's record.

    Attributes:
        url: Where it is.
        answers: What it answers, in order, then always the last one; `reset`, `silence`, `drip` and
            `slow` are ways not to answer at once.
        taken: Bodies that reached it, in order.
        headers: Their headers, in lower case.
    """

    url: str = ""
    answers: list[Answer | str] = field(default_factory=lambda: [OK])
    taken: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)
    recording: Any = field(default_factory=threading.Lock)

    def json(self, place: int = -1) -> Any:
        """One body that it took."""
        return json.loads(self.taken[place])


@contextmanager
def http_sink(*answers: Answer | str) -> Iterator[Sink]:
    """A server that gives these answers, in order."""
    sink = Sink(answers=list(answers) or [OK])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # whoever sent it was killed: no server takes half a request
                self.close_connection = True
                return
            with sink.recording:
                place = len(sink.taken)
                sink.taken.append(body)
                sink.paths.append(self.path)
                sink.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = sink.answers[min(place, len(sink.answers) - 1)]
            if isinstance(answer, str):
                _ways[answer](self, sink)
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    sink.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _reset(handler: BaseHTTPRequestHandler, sink: Sink) -> None:  # noqa: ARG001
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def _silence(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
    sink.hold.wait(30)
    handler.close_connection = True


def _drip(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        if sink.hold.wait(0.05):
            break
        try:
            handler.wfile.write(b".")
        except OSError:
            break
    handler.close_connection = True


def _slow(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
    """Take it, and say so a little later: whoever is killed in between does not know."""
    sink.hold.wait(0.03)
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    handler.close_connection = True


_ways: dict[str, Callable[[BaseHTTPRequestHandler, Sink], None]] = {
    "reset": _reset,
    "silence": _silence,
    "drip": _drip,
    "slow": _slow,
}


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
