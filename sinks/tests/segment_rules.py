"""Rules for proofs, for reading back and for windows that are appended to, as tests.

Subclass `SegmentRules` and give it a sink::

    class TestShelfLive(SegmentRules):
        @pytest.fixture
        def sink(self, tmp_path):
            return Shelf(path=tmp_path / "data")
"""

import json

import pyarrow as pa
import pytest

from werks.components import Window
from werks.proof import Digest
from werks.testing.sink import (
    DAY,
    NODES,
    REMAINDER,
    SCHEMAS,
    STRANGE,
    no_rows,
    prove,
    sample,
)
from werks_sinks.csv import Csv
from werks_sinks.feather import Feather
from werks_sinks.parquet import Parquet

NEXT = Window(DAY.exchange, DAY.symbol, DAY.day.replace(day=2))
OTHER = Window(DAY.exchange, "ETHUSD", DAY.day)
FILES = "trades/bazaar/XBTUSD"
A, B, C = (sample("trades", rows=rows, seed=seed) for rows, seed in ((5, 0), (7, 5), (3, 12)))


def put(sink, window, *batches, node="trades"):
    """Commit rows of one node by a writer of their own."""
    writer = sink.open(SCHEMAS)
    for batch in batches:
        writer.write(window, node, batch)
    receipt = writer.commit(window, {node: prove(node, *batches)})
    writer.close()
    return receipt


def append(writer, window, *batches, node="trades"):
    for batch in batches:
        writer.write(window, node, batch)
    return writer.append(window, [node])


def found(sink, window=DAY, node="trades"):
    return pa.Table.from_batches(sink.read(window, node, SCHEMAS[node]), SCHEMAS[node])


def check(sink, *batches, window=DAY, node="trades"):
    """Assert that just these rows are read back, bit for bit, in columns of the same types."""
    stored = found(sink, window, node)
    digest = Digest(SCHEMAS[node])
    for batch in stored.to_batches():
        digest.add(batch)
    assert stored.num_rows == sum(map(len, batches))
    assert digest.proof() == prove(node, *batches)
    plain = pa.Table.from_batches(batches, SCHEMAS[node])
    assert stored.drop_columns(["exchange", "symbol"]) == plain.drop_columns(["exchange", "symbol"])


@pytest.fixture(params=[Csv, Feather, Parquet])
def sink(request, tmp_path):
    return request.param(path=tmp_path / "data")


@pytest.fixture
def live(sink):
    """The file that a day is appended to."""
    return sink.path / FILES / "_segments" / "2024-05-01.arrows"


def finished(sink, receipt, *batches):
    """Go on from a receipt with some rows and finish the day; return its file's bytes."""
    writer = sink.open(SCHEMAS)
    writer.resume(DAY, receipt)
    before = list(sink.read(DAY, "trades", SCHEMAS["trades"]))
    for rows in batches:
        append(writer, DAY, rows)
    writer.finish(DAY, {"trades": prove("trades", *before, *batches)})
    writer.close()
    return sink._folder.target(DAY, "trades").read_bytes()


class SegmentRules:
    """Give `sink`; every test is a rule, and its docstring says which."""

    @pytest.fixture
    def sink(self):
        raise NotImplementedError(f"{type(self).__name__} must give the fixture sink")

    @pytest.fixture
    def writer(self, sink):
        writer = sink.open(SCHEMAS)
        yield writer
        writer.close()

    @pytest.fixture
    def replaces(self, sink):
        if not sink.replaces:
            pytest.skip("this sink only appends")

    # What was committed

    @pytest.mark.parametrize("node", NODES)
    def test_what_was_committed_is_read_back(self, sink, node):
        """Rows are read back with the schema they were written by, and prove to be the same."""
        put(sink, DAY, sample(node), node=node)
        for batch in sink.read(DAY, node, SCHEMAS[node]):
            assert batch.schema.equals(SCHEMAS[node])
        check(sink, sample(node), node=node)

    def test_nothing_is_read_where_nothing_is(self, sink):
        """A window without rows reads as none, whether it was committed or not."""
        assert list(sink.read(DAY, "trades", SCHEMAS["trades"])) == []
        put(sink, DAY)
        assert list(sink.read(DAY, "trades", SCHEMAS["trades"])) == []

    def test_a_day_is_read_without_the_remainder(self, sink):
        """The day, the next day and what is still open are read apart."""
        for seed, window in enumerate((DAY, NEXT, REMAINDER)):
            put(sink, window, sample("bars", rows=4, seed=seed), node="bars")
        for seed, window in enumerate((DAY, NEXT, REMAINDER)):
            check(sink, sample("bars", rows=4, seed=seed), window=window, node="bars")

    def test_many_rows_are_read_in_their_order(self, sink):
        """Rows of many writes are read back as one sequence."""
        given = [sample("trades", rows=999, seed=seed) for seed in range(40)]
        put(sink, DAY, *given)
        check(sink, *given)

    def test_proofs_lie_beside_the_rows(self, sink):
        """Each committed window has the proof that it was committed with."""
        assert list(sink.proofs("trades")) == []
        put(sink, DAY, A)
        put(sink, NEXT, B)
        put(sink, DAY, sample("ticks"), node="ticks")
        assert sorted(sink.proofs("trades"), key=lambda both: both[0].name) == [
            (DAY, prove("trades", A)),
            (NEXT, prove("trades", B)),
        ]
        assert list(sink.proofs("ticks")) == [(DAY, prove("ticks", sample("ticks")))]
        assert list(sink.proofs("bars")) == []

    @pytest.mark.usefixtures("replaces")
    def test_a_window_written_again_has_the_new_proof(self, sink):
        """A proof is replaced with the rows, by that of no rows as well."""
        for rows in ([A], [B, C], []):
            put(sink, DAY, *rows)
            assert list(sink.proofs("trades")) == [(DAY, prove("trades", *rows))]

    @pytest.mark.usefixtures("replaces")
    def test_a_remainder_without_rows_leaves_no_proof(self, sink):
        """A remainder is proven while there is one."""
        put(sink, REMAINDER, sample("bars", rows=1), node="bars")
        assert list(sink.proofs("bars")) == [(REMAINDER, prove("bars", sample("bars", rows=1)))]
        put(sink, REMAINDER, node="bars")
        assert list(sink.proofs("bars")) == []

    def test_proofs_name_strange_symbols_as_they_are(self, sink, writer):
        """Whatever a place is called, its proof names the symbol itself."""
        windows = [Window("bazaar", symbol, DAY.day) for symbol in STRANGE]
        for window in windows:
            batch = sample("trades", window, rows=2)
            writer.write(window, "trades", batch)
            writer.commit(window, {"trades": prove("trades", batch)})
        assert {window for window, _ in sink.proofs("trades")} == set(windows)
        for window, proof in sink.proofs("trades"):
            assert proof == prove("trades", sample("trades", window, rows=2))

    # What is appended

    def test_segments_are_read_in_their_order(self, sink, writer):
        """What was appended can be read at once, and the receipt tells how far it reaches."""
        receipts = [append(writer, DAY, *rows) for rows in ([A], [B], [C])]
        check(sink, A, B, C)
        assert [receipt["trades"]["rows"] for receipt in receipts] == [5, 12, 15]

    @pytest.mark.parametrize("node", NODES)
    def test_every_kind_of_rows_can_be_appended(self, sink, writer, node):
        """Nulls, extremes and awkward text go through segments, too."""
        for seed in range(3):
            append(writer, DAY, sample(node, rows=9, seed=seed), node=node)
        check(sink, *(sample(node, rows=9, seed=seed) for seed in range(3)), node=node)

    def test_what_was_not_appended_is_not_seen(self, sink, writer):
        """Rows are seen from their append on."""
        append(writer, DAY, A)
        writer.write(DAY, "trades", B)
        check(sink, A)

    def test_a_segment_without_rows_changes_nothing(self, sink, writer):
        """Appending nothing gives the receipt of what is there."""
        first = writer.append(DAY, ["trades"])
        assert first["trades"]["rows"] == 0
        check(sink)
        assert append(writer, DAY, A) == writer.append(DAY, ["trades"])
        check(sink, A)

    def test_nodes_are_appended_together(self, sink, writer):
        """A receipt has an entry for each node that it was asked for."""
        writer.write(DAY, "trades", A)
        writer.write(DAY, "ticks", sample("ticks"))
        receipt = writer.append(DAY, ["trades", "ticks", "bars"])
        assert {node: part["rows"] for node, part in receipt.items()} == {
            "trades": 5,
            "ticks": 40,
            "bars": 0,
        }
        check(sink, A)
        check(sink, sample("ticks"), node="ticks")

    def test_windows_are_appended_to_in_turns(self, sink, writer):
        """Symbols and days do not mix."""
        for seed in range(3):
            for window in (DAY, NEXT, OTHER):
                append(writer, window, sample("trades", window, rows=4, seed=seed))
        for window in (DAY, NEXT, OTHER):
            given = [sample("trades", window, rows=4, seed=seed) for seed in range(3)]
            check(sink, *given, window=window)

    def test_many_windows_are_appended_to_at_once(self, sink, writer):
        """Where a writer can do that; each window goes on by itself, and is cut back by itself."""
        if not hasattr(writer, "append_all"):
            pytest.skip("its writer makes segments one by one")
        windows, seeds = (OTHER, DAY, NEXT), range(3)
        given = {each: [sample("trades", each, rows=4, seed=seed) for seed in seeds]
                 for each in windows}  # fmt: skip
        receipts = []
        for seed in seeds:
            for window in windows:
                writer.write(window, "trades", given[window][seed])
            receipts.append(writer.append_all({key: ["trades"] for key in windows}))
            assert set(receipts[-1]) == set(windows)
        for window in windows:
            check(sink, *given[window], window=window)
        append(writer, DAY, B)
        writer.close()
        another = sink.open(SCHEMAS)
        another.resume(OTHER, receipts[0][OTHER])
        another.close()
        check(sink, given[OTHER][0], window=OTHER)
        check(sink, *given[DAY], B)

    def test_what_was_written_before_a_window_is_resumed_is_gone(self, sink, writer):
        """It comes again, as all does that lies behind the receipt."""
        receipt = append(writer, DAY, A)
        writer.write(DAY, "trades", B)
        writer.write(OTHER, "trades", sample("trades", OTHER, rows=4))
        writer.resume(DAY, receipt)
        append(writer, DAY, B, C)
        append(writer, OTHER)
        check(sink, A, B, C)
        check(sink, sample("trades", OTHER, rows=4), window=OTHER)

    def test_a_segment_may_be_large(self, sink, writer):
        """What was missed in an outage may come as one segment."""
        append(writer, DAY, A)
        many = [sample("trades", rows=999, seed=seed) for seed in range(30)]
        append(writer, DAY, *many)
        append(writer, DAY, B)
        check(sink, A, *many, B)

    def test_a_window_that_is_appended_to_has_no_proof(self, sink, writer):
        """It is named all the same."""
        append(writer, DAY, A)
        assert list(sink.proofs("trades")) == [(DAY, None)]

    def test_an_abort_leaves_what_was_appended(self, sink, writer):
        """Only what was not appended is thrown away."""
        append(writer, DAY, A)
        writer.write(DAY, "trades", B)
        writer.abort()
        check(sink, A)
        append(writer, DAY, C)
        check(sink, A, C)

    def test_the_receipt_of_a_segment_holds(self, sink, writer):
        """It holds while its rows are there, also once more were appended, and after JSON."""
        receipt = json.loads(json.dumps(append(writer, DAY, A)))
        assert sink.holds(DAY, "trades", receipt)
        append(writer, DAY, B)
        assert sink.holds(DAY, "trades", receipt)
        for window, node in ((NEXT, "trades"), (OTHER, "trades"), (DAY, "ticks")):
            assert not sink.holds(window, node, receipt)
        writer.resume(DAY, {})
        assert not sink.holds(DAY, "trades", receipt)

    # Going on

    def test_another_run_goes_on(self, sink):
        """What was appended stays, and the next run appends behind it."""
        receipt = {}
        for rows in (A, B, C):
            writer = sink.open(SCHEMAS)
            writer.resume(DAY, json.loads(json.dumps(receipt)))
            receipt = append(writer, DAY, rows)
            writer.close()
        check(sink, A, B, C)
        assert receipt["trades"]["rows"] == 15

    def test_what_the_ledger_does_not_know_is_cut_off(self, sink):
        """After `resume` the rows of the receipt are there, and no others."""
        writer = sink.open(SCHEMAS)
        receipt = append(writer, DAY, A)
        append(writer, DAY, B)
        writer.close()
        for _ in range(2):
            writer = sink.open(SCHEMAS)
            writer.resume(DAY, receipt)
            check(sink, A)
            receipt = append(writer, DAY)
            writer.close()
        writer = sink.open(SCHEMAS)
        writer.resume(DAY, receipt)
        append(writer, DAY, C)
        writer.close()
        check(sink, A, C)

    def test_an_empty_receipt_cuts_off_all(self, sink, writer):
        """A window of which the ledger knows nothing begins anew; other windows stay."""
        for window in (DAY, NEXT, OTHER):
            append(writer, window, sample("trades", window, rows=4))
        writer.resume(DAY, {})
        check(sink)
        assert {window for window, _ in sink.proofs("trades")} == {NEXT, OTHER}
        for window in (NEXT, OTHER):
            check(sink, sample("trades", window, rows=4), window=window)
        append(writer, DAY, C)
        check(sink, C)

    def test_a_node_that_the_receipt_does_not_name_is_cut_to_none(self, sink, writer):
        """A receipt speaks of all nodes."""
        receipt = append(writer, DAY, A)
        append(writer, DAY, sample("ticks"), node="ticks")
        writer.resume(DAY, receipt)
        check(sink, A)
        check(sink, node="ticks")

    def test_rows_that_wait_are_forgotten_by_resume(self, sink, writer):
        """They will be written again."""
        receipt = append(writer, DAY, A)
        writer.write(DAY, "trades", B)
        writer.resume(DAY, receipt)
        append(writer, DAY, C)
        check(sink, A, C)

    # The day is over

    def test_a_finished_window_is_as_if_committed(self, sink, writer):
        """Segments and what was written since are rows of the window, with their proof."""
        for rows in (A, B):
            append(writer, DAY, rows)
        writer.write(DAY, "trades", C)
        proofs = {"trades": prove("trades", A, B, C)}
        receipt = json.loads(json.dumps(writer.finish(DAY, proofs)))
        check(sink, A, B, C)
        assert list(sink.proofs("trades")) == [(DAY, proofs["trades"])]
        assert receipt["trades"]["rows"] == 15
        assert sink.holds(DAY, "trades", receipt)

    def test_a_window_without_segments_may_be_finished(self, sink, writer):
        """Finishing what was only written, or nothing at all, is a commit."""
        writer.write(DAY, "trades", A)
        proofs = no_rows(*NODES) | {"trades": prove("trades", A)}
        receipt = writer.finish(DAY, proofs)
        check(sink, A)
        for node in NODES:
            assert list(sink.proofs(node)) == [(DAY, proofs[node])]
            assert sink.holds(DAY, node, receipt)

    def test_the_next_day_goes_on_after_a_finish(self, sink, writer):
        """One writer finishes a day while the next is appended to already."""
        append(writer, DAY, A)
        append(writer, NEXT, B)
        writer.finish(DAY, {"trades": prove("trades", A)})
        append(writer, NEXT, C)
        check(sink, A)
        check(sink, B, C, window=NEXT)

    @pytest.mark.usefixtures("replaces")
    def test_a_finish_that_the_ledger_missed_can_be_done_again(self, sink):
        """A run killed after `finish` and before the mark goes on from its last segment."""
        writer = sink.open(SCHEMAS)
        append(writer, DAY, A)
        receipt = append(writer, DAY, B)
        writer.write(DAY, "trades", C)
        writer.finish(DAY, {"trades": prove("trades", A, B, C)})
        writer.close()
        for _ in range(2):
            assert sink.holds(DAY, "trades", receipt)
            writer = sink.open(SCHEMAS)
            writer.resume(DAY, receipt)
            writer.close()
            check(sink, A, B)
            assert list(sink.proofs("trades")) == [(DAY, None)]
        writer = sink.open(SCHEMAS)
        writer.resume(DAY, receipt)
        append(writer, DAY, C)
        writer.finish(DAY, {"trades": prove("trades", A, B, C)})
        writer.close()
        check(sink, A, B, C)
        assert list(sink.proofs("trades")) == [(DAY, prove("trades", A, B, C))]

    @pytest.mark.usefixtures("replaces")
    def test_an_unfinished_day_that_was_committed_can_be_gone_on_with(self, sink):
        """History commits the day so far, a live source appends to it."""
        receipt = put(sink, DAY, A)
        writer = sink.open(SCHEMAS)
        writer.resume(DAY, receipt)
        check(sink, A)
        append(writer, DAY, B)
        check(sink, A, B)
        writer.finish(DAY, {"trades": prove("trades", A, B)})
        writer.close()
        check(sink, A, B)

    @pytest.mark.usefixtures("replaces")
    def test_a_commit_takes_the_place_of_segments(self, sink, writer):
        """The archive replaces a live day whole."""
        append(writer, DAY, A)
        for rows in ([B, C], []):
            put(sink, DAY, *rows)
            check(sink, *rows)
            assert list(sink.proofs("trades")) == [(DAY, prove("trades", *rows))]
