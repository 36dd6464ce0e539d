"""An HTTP server on 127.0.0.1 that publishes files as exchanges do, with faults on demand."""

import base64
import html
import shutil
import socketserver
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import attrs

Body = bytes | Path
# A function of the query: the body, or (status, body, headers).
Answer = Callable[[Mapping[str, str]], bytes | tuple[int, bytes, Mapping[str, str]]]

_OK, _NOT_FOUND = 200, 404
_S3 = "http://s3.amazonaws.com/doc/2006-03-01/"


@attrs.frozen
class Request:
    """A request as it came; `path` is percent-decoded, `query` holds the last of equal names."""

    method: str
    path: str
    query: Mapping[str, str]


@attrs.frozen
class _Reply:
    status: int
    body: Body
    headers: Mapping[str, str] = attrs.field(factory=dict)
    sent: int | None = None  # how many bytes are sent; None: all of them
    stall: float = 0.0

    @property
    def size(self) -> int:
        return len(self.body) if isinstance(self.body, bytes) else self.body.stat().st_size


_MISSING = _Reply(_NOT_FOUND, b"404 Not Found\n", {"Content-Type": "text/plain"})


class Loopback:
    """A server in a thread of its own: files at their paths, folder pages, S3 listings, faults.

    A path that ends in `/` is answered with a page of links to what lies directly below it. A query
    with `list-type=2` is answered as an S3 bucket does, the request's path being the bucket. All
    else is 404. A fault is taken up by the next requests for its path, each `times` times, in the
    order in which faults were set.
    """

    def __init__(self, page_size: int = 1000) -> None:
        self.requests: list[Request] = []
        self.page_size = page_size
        self._files: dict[str, _Reply] = {}
        self._answers: dict[str, Answer] = {}
        self._faults: dict[str, deque[Callable[[_Reply], _Reply]]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="werks-loopback", daemon=True
        )

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, path: str, body: Body, headers: Mapping[str, str] | None = None) -> str:
        """Publish bytes, or a file of this disk, in place of what was there; return the address."""
        self._files[_key(path)] = _Reply(_OK, body, headers or {})
        return self.url + quote(_key(path))

    def answer(self, path: str, answer: Answer) -> str:
        """Have a function of the query make the answer at a path, and return the address."""
        self._answers[_key(path)] = answer
        return self.url + quote(_key(path))

    def body(self, path: str) -> bytes:
        """Return the bytes that are published at a path."""
        body = self._files[_key(path)].body
        return body if isinstance(body, bytes) else body.read_bytes()

    def remove(self, path: str) -> None:
        """Publish a path no more."""
        del self._files[_key(path)]

    def folder(self, path: str) -> str:
        """Return the page of a folder, as public.bybit.com writes it; empty if nothing is there."""
        base = _key(path).rstrip("/") + "/"
        below = [name[len(base) :] for name in self._files if name.startswith(base)]
        names = {rest.split("/")[0] + "/" * ("/" in rest) for rest in below}
        links = (f'<li><a href="{quote(n)}">{html.escape(n)}</a></li>\n' for n in sorted(names))
        page = f"<!DOCTYPE html>\n<html><body><h1>{html.escape(base)}</h1><ul>\n{''.join(links)}"
        return f"{page}</ul></body></html>\n" if names else ""

    def fail(
        self, path: str, status: int = 503, times: int = 1, retry_after: int | None = None
    ) -> None:
        """Answer with a status instead of the file."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        reply = _Reply(status, f"{status}\n".encode(), headers)
        self._fault(path, times, lambda _: reply)

    def cut(self, path: str, after: int, times: int = 1) -> None:
        """Announce the whole length, send `after` bytes and close the connection."""
        self._fault(path, times, lambda reply: attrs.evolve(reply, sent=after))

    def stall(self, path: str, seconds: float, times: int = 1) -> None:
        """Wait before answering."""
        self._fault(path, times, lambda reply: attrs.evolve(reply, stall=seconds))

    def swap(self, path: str, body: bytes, times: int = 1) -> None:
        """Answer with other bytes than those that are published."""
        self._fault(path, times, lambda reply: attrs.evolve(reply, status=_OK, body=body))

    def calm(self) -> None:
        """Take back all faults that have befallen no request yet."""
        with self._lock:
            self._faults.clear()

    def asked(self, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(request.path == _key(path) for request in self.requests)

    def _fault(self, path: str, times: int, change: Callable[[_Reply], _Reply]) -> None:
        with self._lock:
            self._faults[_key(path)].extend([change] * times)

    def reply(self, request: Request) -> _Reply:
        """Return what is sent for a request, faults included, after any stall."""
        reply = self._reply(request)
        with self._lock:
            self.requests.append(request)
            faults = self._faults[request.path]
            change = faults.popleft() if faults else None
        reply = change(reply) if change else reply
        self._closed.wait(reply.stall)
        return reply

    def _reply(self, request: Request) -> _Reply:
        if request.path in self._answers:
            made = self._answers[request.path](request.query)
            return _Reply(_OK, made) if isinstance(made, bytes) else _Reply(*made)
        if request.query.get("list-type") == "2":
            bucket = request.path.rstrip("/") + "/"
            keys = [key[len(bucket) :] for key in self._files if key.startswith(bucket)]
            page = _bucket_page(keys, request.query, self.page_size)
            return _Reply(_OK, page.encode(), {"Content-Type": "application/xml"})
        if request.path.endswith("/") and (page := self.folder(request.path)):
            return _Reply(_OK, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
        return self._files.get(request.path, _MISSING)


def _key(path: str) -> str:
    return "/" + path.lstrip("/")


def _bucket_page(keys: list[str], query: Mapping[str, str], size: int) -> str:
    """Return one page of ListObjectsV2; its token holds the last entry of the page before."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token", "")
    after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
    found = sorted(set(_entries(keys, prefix, delimiter)), key=str.encode)
    entries = [entry for entry in found if entry.encode() > after.encode()]
    page = entries[: min(size, int(query.get("max-keys", size)))]
    parts = [
        f"<CommonPrefixes><Prefix>{escape(entry)}</Prefix></CommonPrefixes>"
        if delimiter and entry.endswith(delimiter)
        else f"<Contents><Key>{escape(entry)}</Key></Contents>"
        for entry in page
    ]
    more = len(page) < len(entries)
    if more:
        following = base64.urlsafe_b64encode(page[-1].encode()).decode()
        parts.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ListBucketResult xmlns="{_S3}"><Prefix>{escape(prefix)}</Prefix>'
        f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{''.join(parts)}</ListBucketResult>\n"
    )


def _entries(keys: list[str], prefix: str, delimiter: str) -> Iterator[str]:
    """Yield keys under the prefix, each cut behind the first delimiter that follows the prefix."""
    for key in keys:
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter or "\0")
            yield prefix + head + found if delimiter else key


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, loopback: Loopback) -> None:
        self.loopback = loopback
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for the host's full name, which may take seconds.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may leave when they like
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wfile: BinaryIO  # type: ignore[assignment]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, unquote(parts.path), query)
        self._send(self.server.loopback.reply(request))

    do_HEAD = do_GET  # noqa: N815  (the standard library's name)

    def _send(self, reply: _Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(reply.size))
        # A connection for each request: no socket outlives the server.
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(reply.body, Path) and reply.sent is None:
            with reply.body.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 20)
            return
        body = reply.body if isinstance(reply.body, bytes) else reply.body.read_bytes()
        self.wfile.write(body[: reply.sent])

    def log_message(self, *args: Any) -> None:
        pass
