import runpy
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from werks.components import Window
from werks.errors import SinkError
from werks.testing.sink import DAY, SCHEMAS, no_rows, prove, sample
from werks_sinks.postgres import Postgres

Proxy = runpy.run_path(str(Path(__file__).with_name("servers.py")))["Proxy"]

OTHER = Window("bazaar", "ETHUSD", DAY.day)
MANY = pa.concat_batches([sample("trades", rows=1000, seed=seed) for seed in range(60)])
PROOF = prove("trades", MANY)


@pytest.fixture
def sink(postgres, database):
    return Postgres(url=postgres.url(database), timeout=20)


@pytest.fixture
def query(postgres, database):
    with closing(postgres.connect(database)) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


@contextmanager
def through(postgres, database, **cut):
    """Give a sink whose connections are cut on their way, and the proxy that does it."""
    with closing(Proxy(postgres.port, **cut)) as proxy:
        yield Postgres(url=postgres.url(database, port=proxy.port), timeout=20), proxy


def put(sink, rows, window=DAY):
    with closing(sink.open(SCHEMAS)) as writer:
        writer.write(window, "trades", rows)
        return writer.commit(window, {"trades": prove("trades", rows)})


def stored(sink, window=DAY):
    of = SCHEMAS["trades"]
    return pa.Table.from_batches(sink.read(window, "trades", of), of)


def fill(writer):
    for _ in range(60):
        writer.write(DAY, "trades", MANY)


@pytest.mark.long
def test_a_restart_between_two_commits_is_not_noticed(postgres, sink):
    with closing(sink.open(SCHEMAS)) as writer:
        for window in (DAY, OTHER):
            rows = sample("trades", window)
            writer.write(window, "trades", rows)
            writer.commit(window, {"trades": prove("trades", rows)})
            postgres.stop()
            postgres.start()
    for window in (DAY, OTHER):
        assert stored(sink, window).num_rows == 40


def test_a_restart_in_the_middle_of_a_commit_is_survived(postgres, sink):
    put(sink, sample("trades"))
    restarts = []

    def mark(connection, receipt):
        if not restarts:
            postgres.stop()
            restarts.append(postgres.start())
        connection.execute(sa.text("SELECT 1"))

    with closing(sink.open(SCHEMAS)) as writer:
        writer.write(DAY, "trades", MANY)
        receipt = writer.commit(DAY, {"trades": PROOF}, mark)
    assert len(restarts) == 1
    assert sink.holds(DAY, "trades", receipt)
    assert stored(sink).equals(pa.Table.from_batches([MANY]))


def test_a_server_that_is_away_for_a_while_is_waited_for(postgres, sink):
    with closing(sink.open(SCHEMAS)) as writer:
        writer.write(DAY, "trades", sample("trades"))
        postgres.stop()
        back = threading.Timer(1, postgres.start)
        back.start()
        receipt = writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
        back.join()
    assert sink.holds(DAY, "trades", receipt)


def test_a_server_that_stays_away_is_named(postgres, database):
    sink = Postgres(url=postgres.url(database), timeout=0.5)
    receipt = put(sink, sample("trades"))
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "trades", MANY)
    postgres.stop()
    try:
        with pytest.raises(SinkError) as caught:
            writer.commit(DAY, {"trades": PROOF})
        said = str(caught.value)
        name = f"postgresql://werks@127.0.0.1:{postgres.port}/{database}"
        assert said.startswith(f"{name} cannot be reached: connection")
        assert "sesame" not in said
        assert "\n" not in said
        with pytest.raises(SinkError, match="cannot be reached"):
            sink.holds(DAY, "trades", receipt)
    finally:
        postgres.start()
    with pytest.raises(SinkError, match="rows were lost in an error before this"):
        writer.commit(DAY, {"trades": PROOF})
    writer.close()
    assert sink.holds(DAY, "trades", receipt)


@pytest.mark.parametrize("after", [30_000, 1_000_000, 8_000_000])
@pytest.mark.few(1)
def test_a_connection_cut_inside_the_copy_is_survived(postgres, database, sink, after):
    put(sink, sample("trades"))
    with through(postgres, database, after=after) as (cut, proxy):
        receipt = put(cut, MANY)
        assert proxy.left == 0
    assert sink.holds(DAY, "trades", receipt)
    assert stored(sink).equals(pa.Table.from_batches([MANY]))


def test_a_connection_that_is_always_cut_is_named(postgres, database, sink):
    receipt = put(sink, sample("trades"))
    with through(postgres, database, after=200_000, times=99) as (cut, proxy):
        with pytest.raises(SinkError, match=r"@127\.0\.0\.1:\d+/\w+ cannot be reached: "):
            put(cut, MANY)
        assert proxy.left == 95
    assert sink.holds(DAY, "trades", receipt)
    assert stored(sink).num_rows == 40


@pytest.mark.long
def test_a_session_that_is_ended_by_others_is_survived(sink, query):
    """`pg_terminate_backend` while rows are on their way."""
    put(sink, sample("trades"))
    ended = []

    def end():
        until = time.monotonic() + 10
        while not ended and time.monotonic() < until:
            ended.extend(query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'COPY trades%' AND state = 'active'"
            ))  # fmt: skip

    with closing(sink.open(SCHEMAS)) as writer:
        for _ in range(5):
            writer.write(DAY, "trades", MANY)
        thread = threading.Thread(target=end)
        thread.start()
        receipt = writer.commit(DAY, {"trades": prove("trades", *[MANY] * 5)})
        thread.join()
    assert ended == [(True,)]
    assert sink.holds(DAY, "trades", receipt)
    assert stored(sink).num_rows == 5 * len(MANY)


def test_a_commit_in_doubt_is_done_again(postgres, database, sink):
    """The server has committed, but its answer is lost: the window is replaced by itself."""
    put(sink, sample("trades"))
    marks = []
    with through(postgres, database, at=b"COMMIT") as (cut, proxy):
        with closing(cut.open(SCHEMAS)) as writer:
            writer.write(DAY, "trades", MANY)
            receipt = writer.commit(DAY, {"trades": PROOF}, lambda *given: marks.append(given[1]))
        assert proxy.left == 0
    assert marks == [receipt] * 2
    assert sink.holds(DAY, "trades", receipt)
    assert stored(sink).equals(pa.Table.from_batches([MANY]))


@pytest.mark.parametrize("before", [0, 40])
def test_a_segment_in_doubt_is_not_doubled(postgres, database, sink, before):
    put(sink, MANY.slice(0, before))
    with through(postgres, database, at=b"COMMIT") as (cut, proxy):
        with closing(cut.open(SCHEMAS)) as writer:
            for start in (before, before + 50):
                writer.write(DAY, "trades", MANY.slice(start, 50))
                receipt = writer.append(DAY, ["trades"])
                assert receipt == {"trades": {"rows": start + 50}}
        assert proxy.left == 0
    assert stored(sink).equals(pa.Table.from_batches([MANY.slice(0, before + 100)]))


def test_a_segment_in_doubt_after_an_error_is_not_doubled(postgres, database, sink):
    """The error reached the caller, and the rows the table: they are written once more, instead."""
    put(sink, MANY.slice(0, 40))
    with through(postgres, database, at=b"COMMIT", times=4) as (cut, _):  # noqa: SIM117
        with closing(cut.open(SCHEMAS)) as writer:
            writer.write(DAY, "trades", MANY.slice(40, 50))
            with pytest.raises(SinkError, match="cannot be reached"):
                writer.append(DAY, ["trades"])
            writer.abort()
            writer.write(DAY, "trades", MANY.slice(40, 50))
            assert writer.append(DAY, ["trades"]) == {"trades": {"rows": 90}}
    assert stored(sink).equals(pa.Table.from_batches([MANY.slice(0, 90)]))


@pytest.mark.long
def test_a_cut_while_rows_are_read_is_named(postgres, database, sink, query):
    put(sink, MANY)
    batches = sink.read(DAY, "trades", SCHEMAS["trades"])
    with closing(sink.open(SCHEMAS)) as writer:
        for _ in range(3):
            writer.write(DAY, "trades", MANY)
        writer.commit(DAY, {"trades": prove("trades", *[MANY] * 3)})
    next(batches)
    query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (%'")
    with pytest.raises(SinkError, match=rf"/{database}\b.*"):
        list(batches)


def test_a_table_that_was_dropped_is_named(sink, query, postgres, database):
    with closing(sink.open(SCHEMAS)) as writer:
        writer.commit(DAY, no_rows("trades"))
        with postgres.connect(database) as connection:
            connection.execute("DROP TABLE trades CASCADE")
        writer.write(DAY, "trades", sample("trades"))
        with pytest.raises(SinkError, match=r'was dropped .* relation "trades" does not exist'):
            writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
    receipt = put(sink, sample("trades"))
    assert sink.holds(DAY, "trades", receipt)


def test_rows_that_are_many_wait_on_disk_without_a_name(sink, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with closing(sink.open(SCHEMAS)) as writer:
        for _ in range(3):
            writer.write(DAY, "trades", MANY)
        assert list(tmp_path.iterdir()) == []
        receipt = writer.commit(DAY, {"trades": prove("trades", *[MANY] * 3)})
    assert sink.holds(DAY, "trades", receipt)


def test_a_full_disk_for_rows_that_wait_is_named(sink, small_disk, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    receipt = put(sink, sample("trades"))
    with closing(sink.open(SCHEMAS)) as writer:
        with pytest.raises(SinkError, match=rf"{small_disk}: the disk is full; make room"):
            fill(writer)
        writer.abort()
    assert sink.holds(DAY, "trades", receipt)
