"""The way of files from the disk into a bucket, through outages, and what becomes of them then."""

import errno
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import attrs
import numpy as np

from werks.errors import SinkError
from werks.schema import VERSION

from .asking import UnreachableError
from .bucket import Bucket
from .disk import Aside, make_folder, naming, prune, remove, sync
from .pending import Entry, Pending
from .places import size_of
from .rotation import ByClock

_LOG = logging.getLogger("werks")
_AT_ONCE = 4
_LONGEST_PAUSE = 60.0
_COUNTED_FOR = 10.0


@attrs.frozen
class Uploaded:
    """What an upload has sent, and what still waits: keys, bytes, why if the store is the cause."""

    sent: tuple[str, ...]
    waiting: tuple[str, ...]
    bytes: int
    reason: str = ""


@attrs.define(eq=False)
class Sending:
    """Sends what waits. `when` is the time of day to do it, None for at once.

    Files that were sent go to the folder `kept`; None throws them away. `clock` tells the time.
    """

    bucket: Bucket
    pending: Pending
    kept: Path | None
    when: ByClock | None
    limit: int
    clock: Callable[[], float] = time.time
    _outage: str = ""
    _pause: float = 0.5
    _until: float = 0.0
    _bytes: int = 0
    _counted: float | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    @property
    def outage(self) -> str:
        """Why nothing could be sent when it was last tried; empty if it could."""
        return self._outage

    def check(self) -> None:
        """Raise SinkError if the bucket is not there or refuses us; an outage is only noted."""
        try:
            self.bucket.require_usable()
        except UnreachableError as error:
            self.fails(error)

    def send(self, entries: Sequence[Entry]) -> dict[Entry, str]:
        """Send entries that the caller holds; return the ETags of those that are there now."""
        found = self._at_once(self._sent, entries)
        return {entry: etag for entry, etag in found if etag is not None}

    def catch_up(self, everything: bool = False, now: float | None = None) -> Uploaded:
        """Send what waits and is due, whoever left it, but for what others have in their hands."""
        moment = self.clock() if now is None else now
        due = [e for e in self.pending.entries() if everything or self._is_due(e, moment)]
        found = self._at_once(self._sent_if_free, due)
        sent = tuple(entry.key for entry, etag in found if etag is not None)
        waiting = [entry for entry in self.pending.entries() if entry.waits]
        self._bytes, self._counted = sum(e.bytes for e in waiting), time.monotonic()
        keys = tuple(entry.key for entry in waiting)
        return Uploaded(sent, keys, self._bytes, self._outage)

    def is_time(self, looked: float) -> bool:
        """Tell whether to look for what is due, which was last done at `looked`."""
        if self.when is None or self._outage:
            return not self.rests()
        return _last(self.when, self.clock()) > looked

    def hurry(self) -> None:
        """Let the next try come at once, however fresh an outage is."""
        self._until = 0.0

    def say_what_waits(self) -> None:
        """Say it where an outage is the cause."""
        if self._outage:
            size = f"{self._bytes / 1e6:,.1f} MB"
            _LOG.warning("%s in %s still wait for %s", size, self.pending.root, self.bucket.url())

    def rests(self) -> bool:
        """Tell whether an outage is so fresh that nothing is tried."""
        return bool(self._outage) and time.monotonic() < self._until

    def is_away(self) -> bool:
        """Tell whether an outage goes on: it is asked shortly, lest each try takes `retry_for`."""
        if not self._outage or self.rests():
            return self.rests()
        try:
            self.bucket.probe()
        except UnreachableError as error:
            self.fails(error)
            return True
        return False

    def require_room(self, added: int) -> None:
        """Raise SinkError if more waits than may; at a time of day, it is sent before its time."""
        self._bytes += added
        fresh = self._counted is not None and time.monotonic() - self._counted < _COUNTED_FOR
        if fresh and self._bytes <= self.limit:
            return
        self._bytes, self._counted = sum(e.bytes for e in self.pending.entries()), time.monotonic()
        if self._bytes > self.limit and self.when and not self.rests():
            _LOG.warning("%s: spool_limit is reached, so it is sent now", self.pending.root)
            self.catch_up(everything=True)
        if self._bytes > self.limit:
            why = f", which {self._outage}" if self._outage else ""
            raise SinkError(
                f"{self.pending.root}: {self._bytes / 1e6:,.1f} MB wait for {self.bucket.url()}"
                f"{why}; that is more than spool_limit, mend it and run again"
            )

    def _at_once(
        self, act: Callable[[Entry], str | None], entries: Sequence[Entry]
    ) -> list[tuple[Entry, str | None]]:
        """Do something to several entries side by side; an outage ends it, other errors rise."""
        if not entries or self.is_away():
            return []
        self._until = 0.0  # from here on an outage that is found keeps the others from trying
        with ThreadPoolExecutor(min(_AT_ONCE, len(entries))) as pool:
            etags = list(pool.map(partial(self._unless_away, act), entries))
        if any(etag is not None for etag in etags):
            self._works()
        return list(zip(entries, etags, strict=True))

    def _unless_away(self, act: Callable[[Entry], str | None], entry: Entry) -> str | None:
        if self.rests():
            return None
        try:
            return act(entry)
        except UnreachableError as error:
            self.fails(error)
            return None

    def _sent_if_free(self, entry: Entry) -> str | None:
        with self.pending.held(entry, wait=False) as is_mine:
            return self._sent(entry) if is_mine and entry.made is not None else None

    def _sent(self, entry: Entry) -> str:
        """Make an object of an entry and put its files away; return its ETag, empty without rows.

        Proof and object are verified before anything goes, and the proof goes last: what a kill
        leaves in between is sent again, or found to be there.
        """
        etag, rows = "", entry.rows
        if entry.bytes:
            found, mark = self.bucket.upload(entry.key, entry.data, VERSION)
            etag = found.etag
            self._put_receipt(entry, object={"bytes": found.bytes, "etag": etag, "mark": mark})
        elif rows == 0:
            self.bucket.delete(entry.key)
            if entry.is_remainder:
                self.bucket.delete(entry.receipt_key)
            else:
                self._put_receipt(entry)
        self._put_away(entry, is_emptied=rows == 0)
        return etag

    def _put_receipt(self, entry: Entry, **more: object) -> None:
        with naming(entry.receipt):
            content = {**json.loads(entry.receipt.read_bytes()), **more}
        self.bucket.put(entry.receipt_key, json.dumps(content, indent=1).encode() + b"\n")

    def _put_away(self, entry: Entry, is_emptied: bool) -> None:
        forgets = self.kept is None or (is_emptied and entry.is_remainder)
        if self.kept and is_emptied:
            twin = Entry(self.kept, entry.key)
            for path in (twin.data, twin.receipt):
                remove(path, self.kept)
        for source in (entry.data, entry.receipt):
            if size_of(source) is None:
                continue
            with naming(source):
                if forgets or self.kept is None:
                    source.unlink()
                else:
                    _move(source, self.kept / source.relative_to(entry.root), self.kept)
                with suppress(FileNotFoundError):  # another was faster to prune the folder
                    sync(source.parent)
        prune(entry.receipt.parent, entry.root)

    def _is_due(self, entry: Entry, now: float) -> bool:
        made = entry.made
        if self.when is None or made is None:
            return made is not None
        # From the future: the clock was set back, and it may be long until then.
        return made > now + 60 or _last(self.when, now) > made

    def fails(self, error: UnreachableError) -> None:
        """Take note of an outage, and say so when it begins."""
        with self._lock:
            if not self._outage:
                _LOG.warning(
                    "%s %s; what is for it waits in %s and is sent when it is back",
                    self.bucket.url(),
                    error,
                    self.pending.root,
                )
            self._outage = str(error)
            self._until = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _works(self) -> None:
        with self._lock:
            if self._outage and not self.rests():
                _LOG.info("%s is back", self.bucket.url())
                self._outage, self._pause = "", 0.5


def _last(when: ByClock, now: float) -> float:
    """Return the last time of day at or before now, in seconds since 1970."""
    return int(when.periods(np.array([int(now * 1e9)], np.int64))[0]) / 1e9


def _move(source: Path, target: Path, root: Path) -> None:
    """Put a file in another place, on another disk perhaps; it is never seen there in part."""
    with naming(target):
        make_folder(target.parent)
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return sync(target.parent)
        aside = Aside(target, root)
        try:
            with source.open("rb") as file:
                shutil.copyfileobj(file, aside.file, 1 << 20)
            aside.settle()
            aside.take_place()
        except BaseException:
            aside.drop()
            raise
        source.unlink()
    return None
