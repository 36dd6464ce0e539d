"""What the sink `postgres` takes in a second: against a bare COPY, and against executemany.

Run by itself it prints the ratios; `rows` returns what was measured. A bare COPY sends the same
rows as bytes that were made before, into the same table. Each round runs all of them in turn, since
the server runs on the same cores; it waits for its disk as it would in use.
"""

import os
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from werks import amounts
from werks.components import Window
from werks.proof import Digest
from werks.schema import Scales, batch, nanoseconds, schema, times, word
from werks_sinks import copybinary
from werks_sinks.copying import Copying, _into
from werks_sinks.postgres import Postgres
from werks_sinks.tables import tables

SERVERS = Path(__file__).parents[2] / "sinks/tests/servers.py"
DAY, NODE = date(2024, 5, 1), "trades"
OF = schema("TRADE", Scales(1, 8))
BARE, FIRST, AGAIN = "bare COPY", "first load of a window", "replacing a window"
LIVE, MANY = "live segments", "SQLAlchemy's executemany"
GOALS = ((FIRST, BARE, 0.70), (AGAIN, BARE, 0.35), (LIVE, MANY, 2.0))
_BATCH, _SEGMENT, _SEGMENTS = 1 << 16, 300, 50
# A few measurements: by the clock, and by the processors of the client and of its server process.
Found = dict[str, list[tuple[float, float]]]


def rows(count: int = 400_000, rounds: int = 5) -> list[tuple[str, float, float]]:
    """Return (what, rows a second, rows a second of processor), medians over all rounds."""
    server = runpy.run_path(str(SERVERS))["Postgres"](durable=True)
    server.make()
    server.start()
    found: Found = {}
    try:
        with server.database() as name:
            for number in range(rounds):
                _round(server.url(name), count, number, found)
    finally:
        server.remove()
    return [(what, *map(median, zip(*each, strict=True))) for what, each in found.items()]


def size(given: Sequence[pa.RecordBatch]) -> int:
    """Return the bytes that a day of trades takes, its indexes included."""
    server = runpy.run_path(str(SERVERS))["Postgres"](durable=True)
    server.make()
    server.start()
    try:
        with server.database() as name:
            first = given[0]
            window = Window(first["exchange"][0].as_py(), first["symbol"][0].as_py(), DAY)
            digest = Digest(first.schema)
            with closing(Postgres(url=server.url(name)).open({NODE: first.schema})) as writer:
                for one in given:
                    digest.add(one)
                    writer.write(window, NODE, one)
                writer.commit(window, {NODE: digest.proof()})
            with server.connect(name) as connection:
                asked = connection.execute("SELECT pg_total_relation_size(%s)", [NODE])
                return int(asked.fetchone()[0])
    finally:
        server.remove()


def _round(url: str, count: int, number: int, found: Found) -> None:
    given = list(_trades(f"S{number}", count))
    engine = sa.create_engine(url.replace("://", "+psycopg://", 1), poolclass=sa.StaticPool)
    sink = Postgres(url=url)
    writer: Any
    with closing(sink.open({NODE: OF})) as writer:
        digest = Digest(OF)
        writer.commit(Window("bazaar", "none", DAY), {NODE: digest.proof()})  # makes the table
        for one in given:
            digest.add(one)
        ready = _segments(number, given[0])
        with engine.connect() as connection:
            _bare(connection, given, number, found)
            for what in (FIRST, AGAIN):
                with _timed(found, what, count, _backend(writer._database._engine)):
                    for one in given:
                        writer.write(_window(number), NODE, one)
                    writer.commit(_window(number), {NODE: digest.proof()})
            _many(connection, ready, found)
        live = Window("bazaar", f"S{number}", date(2024, 5, 2))
        backend = _backend(writer._database._engine)
        with _timed(found, LIVE, _SEGMENT * _SEGMENTS, backend):
            for place in range(_SEGMENTS):
                writer.write(live, NODE, given[0].slice(place * _SEGMENT, _SEGMENT))
                writer.append(live, [NODE])
    engine.dispose()


def _bare(
    connection: sa.Connection, given: Sequence[pa.RecordBatch], number: int, found: Found
) -> None:
    way, table = Copying(60), _table()
    window = Window("bare", f"S{number}", DAY)
    sent = [way._tuples(one, window, place * _BATCH) for place, one in enumerate(given)]
    driver: Any = connection.connection.driver_connection
    with _timed(found, BARE, sum(map(len, given)), driver.info.backend_pid):
        with driver.cursor().copy(_into(connection, table)) as copy:
            copy.write(copybinary.HEAD)
            for each in sent:
                copy.write(each.data)
            copy.write(copybinary.TAIL)
        driver.commit()


def _many(connection: sa.Connection, ready: list[list[dict[str, Any]]], found: Found) -> None:
    driver: Any = connection.connection.driver_connection
    insert = _table().insert()
    with _timed(found, MANY, _SEGMENT * _SEGMENTS, driver.info.backend_pid):
        for each in ready:
            connection.execute(insert, each)
            connection.commit()


def _segments(number: int, given: pa.RecordBatch) -> list[list[dict[str, Any]]]:
    """Return segments as executemany takes them; that they are made is not measured."""
    stamps = nanoseconds(given["timestamp"]).tolist()
    plain = given.drop_columns(["timestamp", "received"]).slice(0, _SEGMENT * _SEGMENTS)
    same = {"exchange": "many", "window": DAY, "timestamp_ns": 0}
    same |= {"received": None, "received_ns": None}
    made = [
        row | same | {"n": n, "timestamp": datetime.fromtimestamp(stamps[n] / 10**9, UTC)}
        for n, row in enumerate(plain.to_pylist())
    ]
    return [made[begin : begin + _SEGMENT] for begin in range(0, len(made), _SEGMENT)]


def _trades(symbol: str, count: int) -> Iterator[pa.RecordBatch]:
    """Yield trades of a day; their ids are UUIDs, no two of which are alike."""
    draw = np.random.Generator(np.random.PCG64(1))
    hexadecimal = np.frombuffer(b"0123456789abcdef", np.uint8)
    for begin in range(0, count, _BATCH):
        size = min(_BATCH, count - begin)
        ids = hexadecimal[draw.integers(0, 16, (size, 36))]
        ids[:, [8, 13, 18, 23]] = ord("-")
        price, volume = (
            600_000 + np.cumsum(draw.integers(-3, 4, size)),
            draw.integers(1, 10**9, size),
        )
        stamps = (1_714_521_600 * 10**6 + begin * 1000 + np.arange(size) * 1000) * 1000
        yield batch(
            OF,
            exchange=word("bazaar", size),
            symbol=word(symbol, size),
            timestamp=times(stamps),
            trade_id=pa.array(ids.reshape(-1).view("S36").astype(str).tolist(), pa.string()),
            tick_rule=pa.array(draw.choice(np.array([-1, 1], np.int8), size)),
            price=amounts.column(amounts.from_ints(price), 1),
            size=amounts.column(amounts.from_ints(volume), 8),
            notional=amounts.column(amounts.product(price, volume), 9),
        )


@contextmanager
def _timed(found: Found, what: str, count: int, backend: int) -> Iterator[None]:
    began = time.perf_counter(), time.process_time() + _processor(backend)
    yield
    wall = time.perf_counter() - began[0]
    spent = time.process_time() + _processor(backend) - began[1]
    found.setdefault(what, []).append((count / wall, count / max(spent, 0.01)))


def _processor(process: int) -> float:
    """Return the seconds that a process has had of a processor; 0 where this cannot be read."""
    path = Path(f"/proc/{process}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _backend(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        return int(driver.info.backend_pid)


def _table() -> sa.Table:
    return tables({NODE: OF}, Copying(60), None).nodes[NODE]


def _window(number: int) -> Window:
    return Window("bazaar", f"S{number}", DAY)


def main() -> None:
    """Print what was measured, and each ratio with its goal."""
    found = {what: speeds for what, *speeds in rows(*map(int, sys.argv[1:]))}
    for what, (wall, spent) in found.items():
        print(f"{what}: {wall:,.0f} rows/s, {spent:,.0f} a second of processor")
    for what, against, goal in GOALS:
        by = [ours / theirs for ours, theirs in zip(found[what], found[against], strict=True)]
        print(f"{what} / {against}: {by[0]:.2f}, by processor {by[1]:.2f} (goal {goal})")


if __name__ == "__main__":
    main()
