import sqlite3
import subprocess
import sys
from contextlib import closing

import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.schema import schema
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, SinkTests, no_rows, prove, sample
from werks_sinks import gather
from werks_sinks.sqlite import Sqlite


def query(path, sql, *values):
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def write(sink, window, node, *batches, schemas=SCHEMAS):
    writer = sink.open(schemas)
    try:
        for rows in batches:
            writer.write(window, node, rows)
        return writer.commit(window, {node: prove(node, *batches)})
    finally:
        writer.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "werks.sqlite"


class TestSqlite(SinkTests):
    @pytest.fixture
    def sink(self, path):
        return Sqlite(path=path)

    def rows(self, sink, window, node):
        if not sink.path.exists():
            return None
        if not query(sink.path, "SELECT name FROM sqlite_schema WHERE name = ?", node):
            return None
        day = window.day and window.day.isoformat()
        sql = f"SELECT * FROM {node} WHERE exchange = ? AND symbol = ? AND window IS ? ORDER BY n"
        return query(sink.path, sql, window.exchange, window.symbol, day)


def test_amounts_and_times_are_exact_text(path):
    write(Sqlite(path=path), DAY, "bars", sample("bars", rows=11))
    kinds = "typeof(open) AS amount, typeof(timestamp) AS time, typeof(complete) AS flag"
    row = query(path, f"SELECT *, {kinds} FROM bars WHERE n = 4")[0]
    assert row["open"] == "1"
    assert row["timestamp"] == "2024-05-01T00:00:04.938271564Z"
    assert (row["amount"], row["time"], row["flag"]) == ("text", "text", "integer")


def test_rows_are_numbered_from_zero_within_their_window(path):
    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks", rows=3), sample("ticks", rows=2))
    write(sink, REMAINDER, "ticks", sample("ticks", rows=2))
    order = "SELECT window, n FROM ticks ORDER BY window NULLS LAST, n"
    found = [tuple(row.values()) for row in query(path, order)]
    assert found == [*(("2024-05-01", n) for n in range(5)), (None, 0), (None, 1)]


@pytest.mark.parametrize("window", [DAY, REMAINDER])
def test_the_key_admits_no_row_twice(path, window):
    write(Sqlite(path=path), window, "ticks", sample("ticks", rows=2))
    again = "INSERT INTO ticks SELECT * FROM ticks WHERE n = 1"
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="UNIQUE"),
    ):
        connection.execute(again)


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ({"Ticks": SCHEMAS["ticks"], "ticks": SCHEMAS["ticks"]}, "same table name"),
        ({"werks_tables": SCHEMAS["ticks"]}, "the sink's own"),
        ({"Werks_latest": SCHEMAS["ticks"]}, "the sink's own"),
        ({"ticks": SCHEMAS["ticks"].append(pa.field("N", pa.int8()))}, "column n "),
        ({"ticks": pa.schema([("price", pa.int64())])}, "no column exchange, symbol"),
    ],
)
def test_names_that_collide_are_refused(path, schemas, message):
    with pytest.raises(SinkError, match=message):
        Sqlite(path=path).open(schemas)
    assert not path.exists()


def test_all_nodes_of_a_window_change_at_once(path):
    sink = Sqlite(path=path)
    write(sink, DAY, "trades", sample("trades"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON trades WHEN NEW.n = 70 "
                           "BEGIN SELECT RAISE(ABORT, 'seventy'); END")  # fmt: skip
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "ticks", sample("ticks"))
    writer.write(DAY, "trades", sample("trades", rows=80))
    with pytest.raises(SinkError, match="seventy"):
        writer.commit(DAY, no_rows("ticks", "trades"))
    writer.close()
    assert query(path, "SELECT count(*) AS n FROM trades") == [{"n": 40}]
    assert query(path, "SELECT count(*) AS n FROM ticks") == [{"n": 0}]


def test_a_table_of_another_version_is_refused(path):
    of = SCHEMAS["ticks"]
    later = of.with_metadata({**of.metadata, b"werks.version": b"2"})
    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks").cast(later), schemas={"ticks": later})
    with pytest.raises(SinkError, match=r"table ticks has version 2 .* writes 1; drop it"):
        sink.open(SCHEMAS)


def test_a_table_with_other_columns_is_refused(path):
    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks"))
    with pytest.raises(SinkError, match="table ticks has other columns; drop it"):
        sink.open({"ticks": SCHEMAS["bars"]})


def test_a_table_that_another_program_made_is_refused(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE ticks (price REAL)")
    with pytest.raises(SinkError, match="table ticks was not made by werks"):
        Sqlite(path=path).open(SCHEMAS)


def test_a_table_that_appears_meanwhile_is_refused(path):
    writer = Sqlite(path=path).open(SCHEMAS)
    writer.write(DAY, "ticks", sample("ticks"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE ticks (price REAL)")
    with pytest.raises(SinkError, match="was not made by werks"):
        writer.commit(DAY, no_rows("ticks"))
    writer.close()


def test_other_scales_are_welcome(path):
    """Amounts are text, so a table takes a market of any scale."""
    from werks.schema import Scales

    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks"))
    of = schema("TICK", Scales(1, 1))
    write(sink, REMAINDER, "ticks", schemas={"ticks": of})
    assert query(path, "SELECT count(*) AS n FROM ticks") == [{"n": 40}]


def test_a_file_that_is_no_database_is_named(path):
    path.write_text("This is no database, but it is long enough to be taken for one." * 20)
    with pytest.raises(SinkError, match=r"werks\.sqlite is no SQLite database; move it away"):
        Sqlite(path=path).open(SCHEMAS)


def test_a_folder_in_its_place_is_named(path):
    path.mkdir()
    with pytest.raises(SinkError, match=r"werks\.sqlite is a folder"):
        Sqlite(path=path).open(SCHEMAS)


def test_a_locked_database_is_named_after_the_timeout(path):
    sink = Sqlite(path=path, timeout=0.1)
    write(sink, DAY, "ticks", sample("ticks"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkError, match=r"werks\.sqlite has been locked .* for 0\.1 s"):
            write(sink, DAY, "ticks", sample("ticks", rows=3))
        other.execute("ROLLBACK")
    write(sink, DAY, "ticks", sample("ticks", rows=3))
    assert query(path, "SELECT count(*) AS n FROM ticks") == [{"n": 3}]


def test_readers_see_the_last_commit_while_rows_are_written(path):
    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM ticks").fetchone() == (40,)
        write(sink, DAY, "ticks", sample("ticks", rows=3))
        assert reader.execute("SELECT count(*) FROM ticks").fetchone() == (40,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM ticks").fetchone() == (3,)


@pytest.mark.long
def test_processes_may_commit_at_once(path, child):
    days = [f"2024-05-{day:02}" for day in range(1, 4)]
    arguments = [sys.executable, str(child), "sqlite", str(path)]
    running = [subprocess.Popen([*arguments, day, "10000", "commit"]) for day in days]
    assert [process.wait(60) for process in running] == [0] * 3
    found = query(path, "SELECT window, count(*) AS n, max(n) AS last FROM trades GROUP BY window")
    assert found == [{"window": day, "n": 10_000, "last": 9_999} for day in days]


@pytest.mark.long
def test_rows_that_are_many_wait_on_disk_without_a_name(path):
    sink = Sqlite(path=path)
    writer = sink.open(SCHEMAS)
    given = sample("trades", rows=1000)
    for _ in range(70):
        writer.write(DAY, "trades", given)
    assert list(path.parent.iterdir()) == []
    writer.write(Window("bazaar", "ETHUSD", DAY.day), "trades",
                 sample("trades", Window("bazaar", "ETHUSD", DAY.day)))  # fmt: skip
    proof = prove("trades", *[given] * 70)
    receipt = writer.commit(DAY, {"trades": proof})
    writer.close()
    assert receipt == {"trades": {"rows": 70_000, "hash": proof.hash}}
    assert sink.holds(DAY, "trades", receipt)
    ids = query(path, "SELECT trade_id FROM trades ORDER BY n")
    assert [row["trade_id"] for row in ids] == given["trade_id"].to_pylist() * 70


def test_memory_is_bounded_over_all_windows(path, monkeypatch):
    monkeypatch.setattr(gather, "MOST_BYTES", 100_000)
    sink = Sqlite(path=path)
    writer = sink.open(SCHEMAS)
    windows = [Window("bazaar", f"X{n}", DAY.day) for n in range(5)]
    for seed in range(40):
        for window in windows:
            writer.write(window, "trades", sample("trades", window, seed=seed))
            assert sum(p.waiting.bytes for p in writer._parts._parts.values()) <= 100_000
    for window in windows:
        writer.commit(window, no_rows("trades"))
    writer.close()
    for window in windows:
        stored = query(path, "SELECT trade_id FROM trades WHERE symbol = ?", window.symbol)
        given = [x for s in range(40) for x in sample("trades", seed=s)["trade_id"].to_pylist()]
        assert [row["trade_id"] for row in stored] == given


def test_nothing_is_left_beside_the_database_after_close(path):
    sink = Sqlite(path=path)
    write(sink, DAY, "ticks", sample("ticks"))
    assert list(path.parent.iterdir()) == [path]


def test_folders_made_for_nothing_are_removed(tmp_path):
    writer = Sqlite(path=tmp_path / "a" / "b" / "werks.sqlite").open(SCHEMAS)
    for _ in range(70):
        writer.write(DAY, "trades", sample("trades", rows=1000))
    assert (tmp_path / "a" / "b").is_dir()
    writer.close()
    assert list(tmp_path.iterdir()) == []
