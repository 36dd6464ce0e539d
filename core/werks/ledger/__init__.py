"""What has been read, written and carried: the memory of a pipeline, in a small database.

SQLite by default, any database that SQLAlchemy knows by its URL. Amounts and states are kept as
text, secrets never. The ledger is written by the process that runs the pipeline and by no other.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import attrs
import sqlalchemy as sa

from ..components import Proof, State, Stream
from ..errors import WerksError
from . import do
from .do import put
from .engine import make_engine, shown
from .records import COUNTED, Commit, Difference, Gap, GapKind, GapStatus, WindowRecord
from .tables import (
    CHECKS,
    COMMITS,
    CONNECTIONS,
    GAPS,
    LEASES,
    LEDGER,
    LIVE,
    MARKS,
    META,
    MINUTES,
    VERSION,
    WINDOWS,
)

__all__ = [
    "COUNTED",
    "VERSION",
    "Commit",
    "CommitKey",
    "Difference",
    "Gap",
    "GapKind",
    "GapStatus",
    "Ledger",
    "WindowRecord",
    "put",
]

CommitKey = tuple[Stream, str, date, str]
MarkKey = tuple[Stream, str]
_ATTEMPTS = 10
_NOT_VALUES = ("stream", "day", "kind")


class Ledger:
    """The ledger of one pipeline; `state` is a path (SQLite) or a database URL."""

    def __init__(self, state: str, pipeline: str) -> None:
        self._pipeline = pipeline
        self._engine = make_engine(state)
        self._name = shown(state)
        version = self._made()
        if version not in (None, VERSION):
            self.close()
            raise WerksError(
                f"{self._name}: the ledger has version {version}, this werks writes {VERSION}:"
                " name another one as state"
            )

    def _made(self) -> int | None:
        """Make what is not there, again if another run that begins at the same time does so, too.

        Return the version of what was there, None if there was nothing.
        """
        for attempt in range(1, _ATTEMPTS):
            try:
                return self._opened()
            except WerksError as error:
                cause = error.__cause__
                if "exists" not in str(cause) and not isinstance(cause, sa.exc.IntegrityError):
                    raise
                time.sleep(0.05 * attempt)
        return self._opened()

    def _opened(self) -> int | None:
        with self._begun("opened") as db:
            META.create_all(db)
            version: int | None = db.scalar(sa.select(LEDGER.c.version))
            if version is None:
                db.execute(LEDGER.insert().values(version=VERSION))
            return version

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def commits(
        self, stream: Stream | None = None, day: date | None = None
    ) -> dict[CommitKey, Commit]:
        """Return what all sinks hold, by (stream, node, day, sink); of a window if one is given."""
        found = {}
        for row in self._all(COMMITS, *do.of(COMMITS, stream, day)):
            proof = Proof(**self._plain(row.proof)) if row.proof else None
            receipt = self._plain(row.receipt)
            commit = Commit(row.fingerprint, row.began, row.until, receipt, proof)
            found[do.stream_of(row), row.node, row.day, row.sink] = commit
        return found

    def _plain(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            why = f"somebody has altered it: {error}; name another one as state"
            raise WerksError(f"{self._name}: the ledger cannot be read: {why}") from error

    def marks(self, day: date) -> dict[MarkKey, tuple[str, State]]:
        """Return what nodes carried at the end of a day: (fingerprint, state) by (stream, node)."""
        rows = self._all(MARKS, MARKS.c.day == day)
        return {
            (do.stream_of(row), row.node): (row.fingerprint, self._plain(row.state)) for row in rows
        }

    def windows(self, stream: Stream | None = None, day: date | None = None) -> list[WindowRecord]:
        """Return all windows that were read, or those of a stream and a day, in order."""
        names = [field.name for field in attrs.fields(WindowRecord)][1:]
        rows = self._all(WINDOWS, *do.of(WINDOWS, stream, day))
        found = [WindowRecord(do.stream_of(r), **{n: getattr(r, n) for n in names}) for r in rows]
        return sorted(found, key=lambda window: (str(window.stream), window.day))

    def window(self, stream: Stream, day: date) -> WindowRecord | None:
        """Return one window; None if it was not read."""
        return next(iter(self.windows(stream, day)), None)

    def gaps(self, every: bool = False) -> list[Gap]:
        """Return the gaps that are suspected or open, or all that there ever were, in order."""
        where = [] if every else [GAPS.c.status.in_(COUNTED)]
        names = [field.name for field in attrs.fields(Gap)][1:]
        rows = self._all(GAPS, *where)
        found = [Gap(do.stream_of(r), **{n: getattr(r, n) for n in names}) for r in rows]
        return sorted(found, key=lambda gap: (str(gap.stream), gap.day, gap.kind))

    def done(
        self,
        window: WindowRecord,
        commits: Mapping[tuple[str, str], Commit],
        marks: Mapping[str, tuple[str, State]],
        minutes: bytes | None = None,
    ) -> bool:
        """Record a window, its commits by (node, sink) and what its nodes carry, all or nothing.

        A gap of the whole day is repaired by it: return whether there was one. `minutes` are kept
        until they are compared.
        """
        key = self._key(window.stream) | {"day": window.day}
        with self._begun("written") as db:
            repaired = do.settle(db, key | {"kind": "day"}, "repaired", datetime.now(UTC))
            do.replace(db, LEASES, key, [])
            put(db, self._pipeline, window, (commits, marks, minutes))
        return repaired

    def joined(self, stream: Stream, day: date, how: str) -> None:
        """Record how a window was proven to follow the one before."""
        key = self._key(stream) | {"day": day}
        with self._begun("written") as db:
            db.execute(WINDOWS.update().where(*do.where(WINDOWS, key)).values(joined=how))

    def found(self, gaps: Iterable[Gap]) -> list[Gap]:
        """Record gaps, or one more attempt at them; return those that were not known as open."""
        now, new = datetime.now(UTC), []
        with self._begun("written") as db:
            for gap in gaps:
                key = self._key(gap.stream) | {"day": gap.day, "kind": gap.kind}
                known = db.execute(sa.select(GAPS).where(*do.where(GAPS, key))).first()
                if known is None or known.status not in COUNTED:
                    new.append(gap)
                    times = {"found_at": now, "attempts": gap.attempts}
                else:
                    times = {"found_at": known.found_at, "attempts": known.attempts + 1}
                values = attrs.asdict(gap, filter=lambda field, _: field.name not in _NOT_VALUES)
                do.replace(db, GAPS, key, [values | times | {"tried_at": now}])
        return new

    def settle(self, stream: Stream, day: date, kind: GapKind, status: GapStatus) -> bool:
        """Say what came of a gap, if one is suspected or open there; return whether one was."""
        key = self._key(stream) | {"day": day, "kind": kind}
        with self._begun("written") as db:
            return do.settle(db, key, status, datetime.now(UTC))

    def checked(
        self,
        stream: Stream,
        day: date,
        verified: bool | None,
        why: str,
        differences: Sequence[Difference],
    ) -> None:
        """Record what the comparison of a window with the exchange's candles has given."""
        key = self._key(stream) | {"day": day}
        with self._begun("written") as db:
            values = {"verified": verified, "verified_why": why}
            db.execute(WINDOWS.update().where(*do.where(WINDOWS, key)).values(**values))
            if verified is not None:
                do.replace(db, MINUTES, key, [])
                do.replace(db, CHECKS, key, [attrs.asdict(each) for each in differences])

    def differences(self) -> dict[tuple[Stream, date], list[Difference]]:
        """Return all minutes that differ from the exchange's candles, in order."""
        names = [field.name for field in attrs.fields(Difference)]
        found: dict[tuple[Stream, date], list[Difference]] = {}
        for row in sorted(self._all(CHECKS), key=lambda row: (row.day, row.minute, row.field)):
            difference = Difference(**{name: getattr(row, name) for name in names})
            found.setdefault((do.stream_of(row), row.day), []).append(difference)
        return found

    def minutes(
        self, stream: Stream | None = None, day: date | None = None
    ) -> Iterator[tuple[Stream, date, bytes]]:
        """Yield the minutes of windows that wait to be compared, oldest first."""
        rows = self._all(MINUTES, *do.of(MINUTES, stream, day))
        for row in sorted(rows, key=lambda row: row.day):
            yield do.stream_of(row), row.day, row.rows

    def lease(self, stream: Stream, day: date, owner: str, seconds: float) -> str | None:
        """Take or renew a window for `owner`; return who else has it, None if it is ours now."""
        key, now = self._key(stream) | {"day": day}, time.time()
        with self._begun("written") as db:
            do.begin_writing(db)
            row = db.execute(sa.select(LEASES).where(*do.where(LEASES, key))).first()
            if row is not None and row.owner != owner and row.until > now:
                return str(row.owner)
            do.replace(db, LEASES, key, [{"owner": owner, "until": now + seconds}])
        return None

    def release(self, owner: str) -> None:
        """Give back all windows of an owner."""
        with self._begun("written") as db:
            db.execute(LEASES.delete().where(LEASES.c.owner == owner))

    def live(self, stream: Stream) -> str | None:
        """Return the mark of a stream's live window; None if there is none."""
        rows = list(self._all(LIVE, *do.of(LIVE, stream)))
        return str(rows[0].mark) if rows else None

    def lives(self) -> dict[Stream, str]:
        """Return the marks of all live windows."""
        return {do.stream_of(row): str(row.mark) for row in self._all(LIVE)}

    def go_on(self, marks: Mapping[Stream, str | None]) -> None:
        """Write the marks of live windows, all or nothing; None takes one away."""
        rows = [self._key(stream) | {"mark": mark} for stream, mark in marks.items()]
        with self._begun("written") as db:
            do.replace_each(db, LIVE, rows, [row for row in rows if row["mark"] is not None])

    def told(self, exchange: str, connection: int, event: str, why: str) -> None:
        """Record what a connection went through."""
        given = {"exchange": exchange, "connection": connection, "event": event, "why": why}
        with self._begun("written") as db:
            values = {"pipeline": self._pipeline, "at": datetime.now(UTC), **given}
            db.execute(CONNECTIONS.insert().values(**values))

    @contextmanager
    def _begun(self, what: str) -> Iterator[sa.Connection]:
        """Give a transaction; its errors name the ledger and what could not be done."""
        try:
            with self._engine.begin() as db:
                yield db
        except sa.exc.SQLAlchemyError as error:
            why = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise WerksError(f"{self._name}: the ledger cannot be {what}: {why}") from error

    def _key(self, stream: Stream) -> dict[str, Any]:
        return {"pipeline": self._pipeline, **attrs.asdict(stream)}

    def _all(self, table: sa.Table, *where: Any) -> Iterable[sa.Row[Any]]:
        with self._begun("read") as db:
            chosen = sa.select(table).where(table.c.pipeline == self._pipeline, *where)
            return db.execute(chosen).all()
