import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.testing.sink import DAY, SCHEMAS, prove, sample
from werks_sinks.postgres import Postgres

OTHER = Window("bazaar", "ETHUSD", DAY.day)
MANY = pa.concat_batches([sample("trades", rows=1000, seed=seed) for seed in range(60)])


@pytest.fixture
def sink(postgres, database):
    return Postgres(url=postgres.url(database), timeout=20)


def put(sink, rows, window=DAY):
    with closing(sink.open(SCHEMAS)) as writer:
        writer.write(window, "trades", rows)
        return writer.commit(window, {"trades": prove("trades", rows)})


def stored(sink, window=DAY):
    of = SCHEMAS["trades"]
    return pa.Table.from_batches(sink.read(window, "trades", of), of)


def test_a_table_that_another_session_has_locked_is_named_when_it_is_read(postgres, database, sink):
    receipt = put(sink, sample("trades"))
    hasty = Postgres(url=postgres.url(database), timeout=0.5)
    with postgres.connect(database) as other, other.transaction():
        other.execute("LOCK TABLE trades")
        with pytest.raises(SinkError, match="or has locked it; let it finish"):
            hasty.holds(DAY, "trades", receipt)
        with pytest.raises(SinkError, match="or has locked it; let it finish"):
            list(hasty.read(DAY, "trades", SCHEMAS["trades"]))
    assert sink.holds(DAY, "trades", receipt)


def test_a_window_that_another_writes_for_too_long_is_named(postgres, database, sink):
    put(sink, sample("trades"))
    inside, go_on = threading.Event(), threading.Event()

    def hold(connection, receipt):
        inside.set()
        go_on.wait(20)

    def slow():
        with closing(sink.open(SCHEMAS)) as writer:
            writer.write(DAY, "trades", sample("trades", rows=7))
            writer.commit(DAY, {"trades": prove("trades", sample("trades", rows=7))}, hold)

    hasty = Postgres(url=postgres.url(database), timeout=0.5)
    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert inside.wait(20)
        with pytest.raises(SinkError, match="another run has been writing the same, or"):
            put(hasty, MANY)
        put(sink, sample("trades", OTHER), OTHER)
    finally:
        go_on.set()
        thread.join()
    assert stored(sink).num_rows == 7


def test_two_that_write_one_window_at_once_never_mix(sink):
    """Each commit is whole: what is there in the end is what one of them wrote, proof included."""
    given = [MANY.slice(0, 3000), MANY.slice(20_000, 5000), MANY.slice(40_000, 400)]

    def run(rows):
        return [put(sink, rows) for _ in range(6)][-1]

    with ThreadPoolExecutor() as pool:
        receipts = list(pool.map(run, given))
    holding = [sink.holds(DAY, "trades", receipt) for receipt in receipts]
    assert sum(holding) == 1
    rows = given[holding.index(True)]
    assert stored(sink).equals(pa.Table.from_batches([rows]))
    assert list(sink.proofs("trades")) == [(DAY, prove("trades", rows))]


def test_many_may_begin_at_once(sink):
    """All want to make the same tables and views, and each writes a window of its own."""
    windows = [Window("bazaar", f"S{n}", DAY.day) for n in range(6)]

    def run(window):
        return put(sink, sample("trades", window), window)

    with ThreadPoolExecutor() as pool:
        receipts = list(pool.map(run, windows))
    for window, receipt in zip(windows, receipts, strict=True):
        assert sink.holds(window, "trades", receipt)


def test_two_that_append_to_one_window_do_not_mix(sink):
    def run(seed):
        with closing(sink.open(SCHEMAS)) as writer:
            for _ in range(20):
                writer.write(DAY, "trades", sample("trades", rows=5, seed=seed))
                try:
                    writer.append(DAY, ["trades"])
                except SinkError as error:
                    return str(error)
        return ""

    with ThreadPoolExecutor() as pool:
        said = list(pool.map(run, (1, 2)))
    assert any("another run has written rows of bazaar XBTUSD 2024-05-01" in each for each in said)
    assert stored(sink).num_rows % 5 == 0
