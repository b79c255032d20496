"""The dashboard's page on this machine's own address; whoever looks at it gets newer answers now and then."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from medallion_cli.errors import MedallionError, UsageError

HOST = "127.0.0.1"


@dataclass
class Asked:
    """What gold said last; asked again when somebody looks and it is `every` seconds old."""

    ask: Callable[[], dict[str, Any]]
    every: float
    clock: Callable[[], float] = time.monotonic
    lock: threading.Lock = field(default_factory=threading.Lock)
    said: dict[str, Any] | None = None
    at: float = 0.0

    def document(self) -> dict[str, Any]:
        """The answers; one question at a time, however many look."""
        with self.lock:
            now = self.clock()
            if self.said is None or now - self.at >= self.every:
                self.said, self.at = self.ask(), now
            return self.said


class _Quiet(ThreadingHTTPServer):
    """A browser that goes away in the middle of an answer is nothing to tell."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells of everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(port: int, html: Callable[[dict[str, Any]], str], asked: Asked) -> ThreadingHTTPServer:
    """Listens on loopback alone (`port` 0: any that is free); UsageError when the port is taken."""

    class Page(BaseHTTPRequestHandler):
        """`/` and `/data.json`, to whoever named this address: another site's name is refused."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            listening = self.connection.getsockname()[1]
            here = {f"{name}:{listening}" for name in (HOST, "localhost")}
            if self.headers.get("Host") not in here:
                self._answer(403, "text/plain", "open the address that medallion printed")
                return
            try:
                match self.path.partition("?")[0]:
                    case "/":
                        self._answer(200, "text/html", html(asked.document()))
                    case "/data.json":
                        self._answer(200, "application/json", json.dumps(asked.document()))
                    case _:
                        self._answer(404, "text/plain", "not here")
            except MedallionError as error:
                self._answer(503, "text/plain", " ".join(str(error).split()))

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the terminal is the user's."""

    try:
        return _Quiet((HOST, port), Page)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"port {port}: {reason}", hint="medallion dashboard --serve --port 0") from None
