"""What all sinks with tables do alike: SQLite, the same by its URL, and PostgreSQL."""

import runpy
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from werks.components import Window
from werks.errors import SinkError
from werks.proof import Digest
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, SinkTests, prove, sample
from werks_sinks.postgres import Postgres

OTHER = Window("bazaar", "ETHUSD", DAY.day)
LIVE = ("trades", "bars")


store = runpy.run_path(str(Path(__file__).with_name("stores.py")))["store"]


@pytest.fixture
def writer(store):
    writer = store.sink.open(SCHEMAS)
    yield writer
    writer.close()


def table(node, *batches):
    return pa.Table.from_batches(batches, SCHEMAS[node])


@pytest.mark.long
class TestAnotherDialect(SinkTests):
    @pytest.fixture
    def sink(self, tmp_path):
        return Postgres(url=f"sqlite:///{tmp_path / 'werks.sqlite'}")

    @pytest.mark.xfail(reason="SQLite makes its file as soon as it is looked at")
    def test_nothing_given_makes_nothing(self, sink, tmp_path):
        super().test_nothing_given_makes_nothing(sink, tmp_path)

    def rows(self, sink, window, node):
        return pa.Table.from_batches(sink.read(window, node, SCHEMAS[node]), SCHEMAS[node])


@pytest.mark.parametrize("node", SCHEMAS)
@pytest.mark.parametrize("window", [DAY, REMAINDER])
@pytest.mark.few(4)
def test_rows_are_read_back_bit_for_bit(store, node, window):
    given = sample(node, rows=101)
    store.write(window, node, given)
    digest = Digest(SCHEMAS[node])
    for batch in store.sink.read(window, node, SCHEMAS[node]):
        digest.add(batch)
    assert store.read(window, node).equals(table(node, given))
    assert digest.proof() == prove(node, given)


def test_reading_what_is_not_there_gives_nothing(store):
    assert list(store.sink.read(DAY, "trades", SCHEMAS["trades"])) == []
    assert list(store.sink.proofs("trades")) == []
    assert not store.sink.holds(DAY, "trades", {"trades": {"rows": 1, "hash": "x"}})
    store.write(DAY, "trades", sample("trades"))
    assert list(store.sink.read(OTHER, "trades", SCHEMAS["trades"])) == []
    assert list(store.sink.read(DAY, "nothing", SCHEMAS["trades"])) == []


@pytest.mark.few(1)
def test_proofs_are_kept_beside_the_rows(store):
    days = [Window("bazaar", symbol, day) for symbol in ("A", "B\0") for day in (DAY.day, None)]
    given = {window: sample("bars", window, seed=n) for n, window in enumerate(days)}
    for window, rows in given.items():
        store.write(window, "bars", rows)
    found = dict(store.sink.proofs("bars"))
    assert found == {window: prove("bars", rows) for window, rows in given.items()}
    assert list(found) == days
    store.write(days[0], "bars")
    assert dict(store.sink.proofs("bars"))[days[0]] == prove("bars")
    assert list(store.sink.proofs("trades")) == []


def test_rows_without_a_proof_are_told(store):
    store.write(DAY, "bars", sample("bars"))
    store.run("DELETE FROM werks_receipts")
    assert dict(store.sink.proofs("bars")) == {DAY: None}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e40"])
@pytest.mark.few(3)  # the first value in each store
def test_an_amount_that_no_row_can_have_is_named(store, value):
    store.write(DAY, "trades", sample("trades"))
    store.run(f"UPDATE trades SET price = '{value}' WHERE n = 3")
    where = rf"trades, {DAY.exchange} {DAY.symbol} {DAY.name} is damaged: .*; delete these rows"
    with pytest.raises(SinkError, match=where):
        store.read(DAY, "trades")


@pytest.mark.few(1)
def test_a_time_that_no_row_can_have_is_named(store):
    store.write(DAY, "trades", sample("trades"))
    store.run("UPDATE trades SET timestamp = '20000-01-01' WHERE n = 3")
    with pytest.raises(SinkError, match=f"{DAY.name} is damaged: "):
        store.read(DAY, "trades")


@pytest.mark.parametrize("sums", ["[]", '"x"'])
@pytest.mark.few(2)
def test_a_proof_that_is_none_is_named(store, sums):
    store.write(DAY, "trades", sample("trades"))
    store.run(f"UPDATE werks_receipts SET sums = '{sums}'")
    with pytest.raises(SinkError, match="werks_receipts, trades is damaged: sums: an object is"):
        list(store.sink.proofs("trades"))


def test_a_receipt_holds_only_with_its_proof(store):
    receipt = store.write(DAY, "bars", sample("bars"))
    assert receipt["bars"]["rows"] == 40
    store.run("UPDATE werks_receipts SET hash = 'sha256:0'")
    assert not store.sink.holds(DAY, "bars", receipt)


@pytest.mark.few(1)
def test_segments_come_one_behind_the_other(store, writer):
    given = {node: [sample(node, rows=7, seed=seed) for seed in range(4)] for node in LIVE}
    for segment in range(4):
        for node in LIVE:
            writer.write(DAY, node, given[node][segment])
        receipt = writer.append(DAY, LIVE)
        assert receipt == {node: {"rows": 7 * (segment + 1)} for node in LIVE}
        for node in LIVE:
            assert store.read(DAY, node).equals(table(node, *given[node][: segment + 1]))
            assert store.sink.holds(DAY, node, receipt)
            assert dict(store.sink.proofs(node)) == {DAY: None}
    proofs = {node: prove(node, *given[node]) for node in LIVE}
    receipt = writer.finish(DAY, proofs)
    assert receipt == {n: {"rows": 28, "hash": proof.hash} for n, proof in proofs.items()}
    for node in LIVE:
        assert dict(store.sink.proofs(node)) == {DAY: proofs[node]}
        assert store.sink.holds(DAY, node, receipt)


def test_a_segment_without_rows_changes_nothing(store, writer):
    assert writer.append(DAY, LIVE) == {"trades": {"rows": 0}, "bars": {"rows": 0}}
    writer.write(DAY, "bars", sample("bars", rows=3))
    assert writer.append(DAY, LIVE) == {"trades": {"rows": 0}, "bars": {"rows": 3}}
    assert writer.append(DAY, LIVE) == {"trades": {"rows": 0}, "bars": {"rows": 3}}


@pytest.mark.parametrize("rows", [0, 5, 7, 14])
@pytest.mark.few(5)
def test_resume_cuts_back_to_a_receipt(store, writer, rows):
    given = sample("trades", rows=14)
    for start in (0, 7):
        writer.write(DAY, "trades", given.slice(start, 7))
        writer.append(DAY, ["trades"])
    writer.write(OTHER, "trades", sample("trades", OTHER))
    writer.append(OTHER, ["trades"])
    writer.close()
    writer = store.sink.open(SCHEMAS)
    writer.resume(DAY, {"trades": {"rows": rows}} if rows else {})
    assert store.read(DAY, "trades").equals(table("trades", given.slice(0, rows)))
    assert len(store.read(OTHER, "trades")) == 40
    writer.write(DAY, "trades", given.slice(rows))
    writer.append(DAY, ["trades"])
    writer.close()
    assert store.read(DAY, "trades").equals(table("trades", given))


def test_resume_of_a_finished_window_takes_its_proof_away(store, writer):
    given = sample("bars", rows=9)
    writer.write(DAY, "bars", given.slice(0, 5))
    receipt = writer.append(DAY, ["bars"])
    writer.write(DAY, "bars", given.slice(5))
    writer.finish(DAY, {"bars": prove("bars", given)})
    writer.resume(DAY, receipt)
    assert dict(store.sink.proofs("bars")) == {DAY: None}
    writer.write(DAY, "bars", given.slice(5))
    writer.finish(DAY, {"bars": prove("bars", given)})
    assert store.read(DAY, "bars").equals(table("bars", given))


def test_resume_notices_rows_that_were_lost(store, writer):
    writer.write(DAY, "bars", sample("bars", rows=9))
    receipt = writer.append(DAY, ["bars"])
    store.run("DELETE FROM bars WHERE n > 5")
    with pytest.raises(SinkError, match=r"bars has 6 rows of .* 2024-05-01, but 9 were written"):
        writer.resume(DAY, receipt)


def test_a_writer_goes_on_behind_what_is_there(store, writer):
    given = sample("bars", rows=9)
    store.write(DAY, "bars", given.slice(0, 5))
    writer.write(DAY, "bars", given.slice(5))
    assert writer.append(DAY, ["bars"]) == {"bars": {"rows": 9}}
    assert store.read(DAY, "bars").equals(table("bars", given))
    assert dict(store.sink.proofs("bars")) == {DAY: None}


def test_a_commit_replaces_what_was_appended(store, writer):
    writer.write(DAY, "bars", sample("bars", rows=9))
    writer.append(DAY, ["bars"])
    writer.write(DAY, "bars", sample("bars", rows=4, seed=3))
    writer.commit(DAY, {"bars": prove("bars", sample("bars", rows=4, seed=3))})
    assert store.read(DAY, "bars").equals(table("bars", sample("bars", rows=4, seed=3)))


def test_a_failed_commit_leaves_what_was_appended(store, writer):
    writer.write(DAY, "bars", sample("bars", rows=9))
    writer.append(DAY, ["bars"])
    writer.write(DAY, "bars", sample("bars", rows=4))

    def fail(connection, receipt):
        raise SinkError("no")

    with pytest.raises(SinkError, match="no"):
        writer.commit(DAY, {"bars": prove("bars", sample("bars", rows=4))}, fail)
    writer.abort()
    writer.write(DAY, "bars", sample("bars", rows=2))
    assert writer.append(DAY, ["bars"]) == {"bars": {"rows": 11}}


def test_an_append_does_not_mix_with_what_another_run_wrote(store, writer):
    writer.write(DAY, "bars", sample("bars", rows=9))
    writer.append(DAY, ["bars"])
    store.write(DAY, "bars", sample("bars", rows=4, seed=3))
    writer.write(DAY, "bars", sample("bars", rows=2))
    with pytest.raises(
        SinkError, match=r"another run has written rows of bazaar XBTUSD 2024-05-01"
    ):
        writer.append(DAY, ["bars"])
    assert store.read(DAY, "bars").equals(table("bars", sample("bars", rows=4, seed=3)))


def test_many_windows_are_appended_to_or_none(store, writer):
    other = Window(DAY.exchange, "ETHUSD", DAY.day)
    windows = {DAY: ["bars"], other: ["bars"]}
    for window in windows:
        writer.write(window, "bars", sample("bars", window, rows=3))
    first = writer.append_all(windows)
    assert first == {key: {"bars": {"rows": 3}} for key in windows}
    store.write(other, "bars", sample("bars", other, rows=4, seed=3))
    for window in windows:
        writer.write(window, "bars", sample("bars", window, rows=2, seed=9))
    with pytest.raises(SinkError, match=r"another run has written rows of bazaar ETHUSD"):
        writer.append_all(windows)
    assert store.read(DAY, "bars").equals(table("bars", sample("bars", rows=3)))
    writer.abort()
    writer.resume(DAY, first[DAY])
    writer.write(DAY, "bars", sample("bars", rows=2, seed=9))
    assert writer.append_all({DAY: ["bars"]}) == {DAY: {"bars": {"rows": 5}}}


def test_the_mark_is_in_the_transaction(store, writer):
    store.run("CREATE TABLE ledger (rows INTEGER)")

    def mark(connection, receipt):
        rows = receipt["trades"]["rows"]
        connection.execute(sa.text("INSERT INTO ledger VALUES (:rows)"), {"rows": rows})

    def fail(connection, receipt):
        mark(connection, receipt)
        raise SinkError("no")

    writer.write(DAY, "trades", sample("trades"))
    writer.commit(DAY, {"trades": prove("trades", sample("trades"))}, mark)
    writer.write(OTHER, "trades", sample("trades", OTHER, rows=3))
    writer.append(OTHER, ["trades"], mark)
    writer.write(OTHER, "trades", sample("trades", OTHER, rows=3))
    with pytest.raises(SinkError, match="no"):
        writer.append(OTHER, ["trades"], fail)
    assert store.query("SELECT rows FROM ledger") == [(40,), (3,)]
    assert len(store.read(OTHER, "trades")) == 3


def test_new_columns_are_added_to_a_table(store):
    of = SCHEMAS["bars"]
    older = of.remove(of.get_field_index("realized_variance")).remove(3)
    given = sample("bars").select(older.names)
    store.write(DAY, "bars", given, schemas={"bars": older})
    store.write(OTHER, "bars", sample("bars", OTHER))
    assert store.read(OTHER, "bars").equals(table("bars", sample("bars", OTHER)))
    found = store.read(DAY, "bars")
    assert found["end"].null_count == found["realized_variance"].null_count == 40
    assert found.select(older.names).equals(pa.Table.from_batches([given]))


def test_a_table_of_an_older_werks_is_taken_over(store):
    store.write(DAY, "bars", sample("bars"))
    store.run("UPDATE werks_tables SET version = 0")
    store.write(OTHER, "bars", sample("bars", OTHER))
    assert store.query("SELECT version FROM werks_tables WHERE name = 'bars'") == [(1,)]


def test_a_table_of_a_newer_werks_is_refused(store):
    store.write(DAY, "bars", sample("bars"))
    store.run("UPDATE werks_tables SET version = 2 WHERE name = 'bars'")
    with pytest.raises(
        SinkError, match="table bars has version 2 of the rows, this werks writes 1"
    ):
        store.sink.open(SCHEMAS)


def test_a_foreign_table_is_refused(store):
    store.run("CREATE TABLE ticks (price REAL)")
    with pytest.raises(
        SinkError, match="table ticks was not made by werks; drop it, name the node"
    ):
        store.sink.open(SCHEMAS)


def test_a_foreign_table_that_comes_later_is_refused(store, writer):
    store.run("CREATE TABLE ticks (price REAL)")
    writer.write(DAY, "ticks", sample("ticks"))
    with pytest.raises(SinkError, match="was not made by werks"):
        writer.commit(DAY, {"ticks": prove("ticks", sample("ticks"))})


@pytest.mark.parametrize(
    "node", ['big "ticks"; DROP', "50% of it", "a:b", "{x}", "Straße", "select"]
)
@pytest.mark.few(5)
def test_a_table_may_have_any_name(store, node):
    of = SCHEMAS["bars"]
    given = sample("bars")
    receipt = store.write(DAY, node, given, schemas={node: of})
    assert store.read(DAY, node, of).equals(table("bars", given))
    assert store.sink.holds(DAY, node, receipt)
    writer = store.sink.open({node: of})
    writer.write(OTHER, node, sample("bars", OTHER))
    assert writer.append(OTHER, [node]) == {node: {"rows": 40}}
    writer.close()
    found = store.query("SELECT node, symbol FROM werks_completeness ORDER BY symbol")
    assert found == [(node, "ETHUSD"), (node, "XBTUSD")]


def test_a_database_is_shared_with_a_ledger_in_it(store):
    url = str(store.engine.url.render_as_string(hide_password=False))
    assert store.sink.shares(url)
    assert not store.sink.shares(f"{url}2")
    assert not store.sink.shares("werks.db")
