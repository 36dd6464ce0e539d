"""A live run that can be looked at: health, status and metrics by HTTP, on loopback.

Nothing is asked of the run: it shows from time to time how it is doing, and that is what is told.
"""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..config import address
from ..errors import WerksError
from .openmetrics import TYPE, openmetrics

# A run shows itself about twice a second; one that has not for so long hangs.
_HANGS = 30.0
_PATIENCE = 10.0
_NOTHING: Mapping[str, Any] = {
    "problems": ["the run does not listen yet"],
    "streams": [],
    "sinks": [],
}


class Watch:
    """Serves `/health`, `/status` and `/metrics` in a thread of its own until it is closed."""

    def __init__(self, where: str) -> None:
        """WerksError if nobody can listen there, such as while another run does."""
        try:
            self._server = _Server(address(where), self)
        except OSError as error:
            why = f"pipeline.watch: {where} cannot be listened at: {error.strerror or error}"
            raise WerksError(f"{why}: end what does, or name another address") from error
        self._shown, self._at = _NOTHING, time.monotonic()
        serve = {"poll_interval": 0.1}
        name = "werks-watch"
        thread = threading.Thread(target=self._server.serve_forever, kwargs=serve, name=name)
        thread.daemon = True
        thread.start()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return self._server.server_port

    def show(self, status: Mapping[str, Any]) -> None:
        """Show how the run is doing: plain data with `problems`, `streams` and `sinks`."""
        self._shown, self._at = status, time.monotonic()

    def status(self) -> Mapping[str, Any]:
        """Return what was shown last, and whether all is well."""
        shown, age = self._shown, time.monotonic() - self._at
        problems = list(shown["problems"])
        if age > _HANGS:
            problems.append(f"the run has not moved for {age:.0f} s")
        return {**shown, "ok": not problems, "age": round(age, 3), "problems": problems}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, at: tuple[str, int], watch: Watch) -> None:
        self.watch = watch
        self.address_family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        super().__init__(at, _Answer)

    def server_bind(self) -> None:
        """Bind without asking for the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away in the middle."""


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "werks", ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        status = self.server.watch.status()
        health = {name: status[name] for name in ("ok", "problems")}
        if path == "/metrics":
            self._say(200, TYPE, openmetrics(status))
        elif path == "/status":
            self._json(200, status)
        elif path == "/health":
            self._json(200 if status["ok"] else 503, health)
        else:
            self._say(404, "text/plain; charset=utf-8", "there are: /health /metrics /status\n")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the terminal is the run's."""

    def _json(self, code: int, data: Mapping[str, Any]) -> None:
        self._say(code, "application/json", json.dumps(data, indent=2) + "\n")

    def _say(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
