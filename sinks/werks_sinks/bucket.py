"""An S3 bucket: its requests, tried again where that may help, and its errors in plain words."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from werks.errors import SinkError

from .asking import UnreachableError, explained
from .credentials import keys, region
from .disk import naming
from .marks import mark_of

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Store

T = TypeVar("T")

VERSION_WORD = "werks-version"
_LISTED_FOR = 5.0
_MOST_PARTS = 10_000
_AT_ONCE = 4
_TRIES = 3
_PIECE = 1 << 23


@attrs.frozen
class Found:
    """An object that is there: its bytes, the server's mark of its content, our words on it."""

    bytes: int
    etag: str
    words: Mapping[str, str] = attrs.field(factory=dict)


@attrs.define(slots=False, eq=False)
class Bucket:
    """A bucket, a prefix in it, and how it is reached; nothing is asked until it is used."""

    name: str
    prefix: str
    part_size: int
    timeout: float
    retry_for: float
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = attrs.field(default=None, repr=False)
    secret_key: str | None = attrs.field(default=None, repr=False)
    anonymous: bool = False
    _lists: dict[str, tuple[float, dict[str, Found]]] = attrs.field(factory=dict, repr=False)

    def url(self, key: str = "") -> str:
        """Return the address of an object, for people."""
        return f"s3://{'/'.join(part for part in (self.name, self.prefix, key) if part)}"

    def require_usable(self) -> None:
        """Raise SinkError if the bucket is not there or refuses us."""
        self._tried("", lambda s3: s3.list_with_delimiter(self._store))

    def probe(self) -> None:
        """Ask once and shortly; UnreachableError if that is in vain."""
        import obstore

        with self._explaining(""):
            obstore.list_with_delimiter(self._quick_store)

    def find(self, key: str) -> Found | None:
        """Return what is known of an object; None if it is not there."""
        try:
            got = self._tried(key, lambda s3: s3.get(self._store, key, options={"head": True}))
        except FileNotFoundError:
            return None
        return Found(got.meta["size"], _bare(got.meta["e_tag"]), got.attributes)

    def names(self, folder: str) -> Mapping[str, Found]:
        """Return the objects right in a folder by name, as they were in the last few seconds."""
        asked, found = self._lists.get(folder, (0.0, {}))
        now = time.monotonic()
        if not asked or now - asked > _LISTED_FOR:
            listed = self._tried(folder, lambda s3: s3.list_with_delimiter(self._store, folder))
            found = {
                meta["path"].rsplit("/", 1)[-1]: Found(meta["size"], _bare(meta["e_tag"]))
                for meta in listed["objects"]
            }
            self._lists[folder] = (now, found)
        return found

    def keys(self, folder: str) -> list[str]:
        """Return the keys of all objects in a folder and below it."""
        listed = self._tried(folder, lambda s3: list(s3.list(self._store, folder)))
        return sorted(meta["path"] for metas in listed for meta in metas)

    def read(self, key: str) -> bytes | None:
        """Return a small object whole; None if it is not there."""
        try:
            return self._tried(key, lambda s3: bytes(s3.get(self._store, key).bytes()))
        except FileNotFoundError:
            return None

    def fetch(self, key: str, path: Path) -> bool:
        """Write an object to a file; return whether there is one."""

        def fetched(s3: Any) -> bool:
            pieces = s3.get(self._store, key).stream(_PIECE)
            with naming(path), path.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            return True

        try:
            return self._tried(key, fetched)
        except FileNotFoundError:
            return False

    def put(self, key: str, content: bytes) -> None:
        """Make a small object."""
        self._forget(key)
        self._tried(key, lambda s3: s3.put(self._store, key, content, use_multipart=False))

    def delete(self, key: str) -> None:
        """Take an object away if it is there."""
        if self.find(key):
            self._forget(key)
            self._tried(key, lambda s3: s3.delete(self._store, key))

    def upload(self, key: str, path: Path, version: int) -> tuple[Found, str]:
        """Make an object of a file unless it is one already; return it with our own mark of it.

        It is verified: its size, and that its ETag is our mark, the MD5 of the file or of the MD5s
        of its parts. Where a server has other ETags, the object is read again instead.
        """
        with naming(path):
            size = path.stat().st_size
        with ThreadPoolExecutor(1) as beside:  # by itself, it would cost a fifth of the time
            hashed = beside.submit(self.mark, path)
            there = self.find(key)
            self._require_version(key, there, version)
            if there and (there.bytes, there.etag) == (size, hashed.result()):
                return there, hashed.result()
            for _ in range(_TRIES):
                self._send(key, path, size, version)
                there, mark = self.find(key), hashed.result()
                if there and there.bytes == size and self._is_proven(key, there, mark):
                    return there, mark
        raise UnreachableError("does not keep what it is sent")

    def mark(self, path: Path) -> str:
        """Return the ETag that an object of a file has where the server makes no other."""
        with naming(path), path.open("rb") as file:
            part = self._part(path.stat().st_size)
            return mark_of(iter(lambda: file.read(min(_PIECE, part)), b""), part)

    def _send(self, key: str, path: Path, size: int, version: int) -> None:
        part = self._part(size)
        how = {"use_multipart": size > part, "chunk_size": part, "max_concurrency": _AT_ONCE}
        words = {VERSION_WORD: str(version)}
        self._forget(key)
        try:
            self._tried(key, lambda s3: s3.put(self._store, key, path, attributes=words, **how))
        except FileNotFoundError:  # the server has lost the parts that it was sent before
            with naming(path):
                path.stat()
            raise UnreachableError("forgets what it was sent") from None

    def _is_proven(self, key: str, there: Found, mark: str) -> bool:
        if there.etag == mark:
            return True

        def marked(s3: Any) -> str:
            return mark_of(s3.get(self._store, key).stream(_PIECE), self._part(there.bytes))

        try:
            return self._tried(key, marked) == mark
        except FileNotFoundError:
            return False

    def _part(self, size: int) -> int:
        """Return the size of parts: the option's, unless there would be more than S3 allows."""
        return max(self.part_size, -(-size // _MOST_PARTS))

    def _require_version(self, key: str, there: Found | None, version: int) -> None:
        found = there.words.get(VERSION_WORD, str(version)) if there else str(version)
        if found != str(version):
            raise SinkError(
                f"{self.url(key)} holds rows of version {found}, this werks writes version "
                f"{version}; move {self.url(key.split('/')[0])} away or set another url"
            )

    def _forget(self, key: str) -> None:
        self._lists.pop(key.rpartition("/")[0], None)

    def _tried(self, key: str, ask: Callable[[Any], T]) -> T:
        """Ask, and ask again for `retry_for` seconds what the client itself does not."""
        import obstore

        until, pause = time.monotonic() + self.retry_for, 0.1
        while True:
            try:
                with self._explaining(key):
                    return ask(obstore)
            except UnreachableError:
                if time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    @contextmanager
    def _explaining(self, key: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):
                raise
            raise explained(str(error), self.url()) from None
        except BaseError as error:
            raise explained(str(error), self.url(key)) from None

    @cached_property
    def _store(self) -> "S3Store":
        return self._client(self.timeout, self.retry_for)

    @cached_property
    def _quick_store(self) -> "S3Store":
        return self._client(min(self.timeout, 5.0), 0.0)

    def _client(self, timeout: float, retry_for: float) -> "S3Store":
        from obstore.store import S3Store

        _show_threads()
        config: S3Config = {"skip_signature": True} if self.anonymous else {}
        own = None if self.anonymous else keys(self.access_key, self.secret_key)
        if where := region(self.region):
            config["region"] = where
        if self.endpoint:
            config["endpoint"] = self.endpoint
        client: ClientConfig = {
            # An endpoint without TLS may stand in the environment, too.
            "allow_http": not (self.endpoint or "").startswith("https://"),
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(timeout, 10.0)),
        }
        retry: RetryConfig = {"retry_timeout": timedelta(seconds=retry_for)}
        return S3Store(
            self.name,
            prefix=self.prefix or None,
            config=config,
            client_options=client,
            retry_config=retry if retry_for else {"max_retries": 0},
            credential_provider=own,
        )


def _bare(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')


_HIDDEN: list[threading.Thread] = []


def _show_threads() -> None:
    """Keep a thread that Python knows of: the client's own it does not, and no fork survives them.

    Who wants to fork looks for threads first, and starts a fresh process instead.
    """
    if not any(thread.is_alive() for thread in _HIDDEN):
        thread = threading.Thread(target=threading.Event().wait, name="obstore", daemon=True)
        thread.start()
        _HIDDEN[:] = [thread]
