"""The rules that every sink keeps, as tests.

Subclass `SinkTests`, give it a sink and say how its rows are read back::

    class TestShelf(SinkTests):
        @pytest.fixture
        def sink(self, tmp_path):
            return Shelf(path=tmp_path / "data")

        def rows(self, sink, window, node):
            return ...  # a pa.Table, or a dict a row; None where there is nothing
"""

import json
import pickle
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ..components import Proof, Receipt, Sink, Window, Writer
from ..proof import Digest
from ..schema import TIME, Scales, schema, word
from .rules import Rules, check_frozen, check_help

__all__ = [
    "DAY",
    "NODES",
    "REMAINDER",
    "SCHEMAS",
    "STRANGE",
    "SinkTests",
    "no_rows",
    "prove",
    "sample",
]

SCHEMAS: Mapping[str, pa.Schema] = {
    "trades": schema("TRADE", Scales(1, 8)),
    "ticks": schema("TICK", Scales(2, 10)),
    "significant": schema("SIGNIFICANT", Scales(0, 3)),
    "bars": schema("BAR", Scales(8, 8)),
}
NODES = tuple(SCHEMAS)
DAY = Window("bazaar", "XBTUSD", date(2024, 5, 1))
REMAINDER = Window("bazaar", "XBTUSD", None)
OTHERS = {
    "day": Window("bazaar", "XBTUSD", date(2024, 5, 2)),
    "symbol": Window("bazaar", "ETHUSD", date(2024, 5, 1)),
    "exchange": Window("bazaar-spot", "XBTUSD", date(2024, 5, 1)),
}
STRANGE = (
    *("tBTCF0:USTF0", "XBT/USD", "XBT_USD", "XBT-USD", "XBT%2FUSD", "XBT USD", " XBTUSD"),
    *(".BXBT", "BXBT", ".", "..", "../XBTUSD", "../" * 9 + "XBTUSD", "/XBTUSD", "a\\b", "a\0b"),
    *("CON", "con.txt", "~", "%", "*?<>|\"'", "open", "\N{GREEK SMALL LETTER ALPHA}USDT"),
    *("", "X" * 300, "X" * 300 + "Y", "-rf", "$HOME", "X;DROP TABLE trades", "a\nb", "XBTUSD."),
)

_ENDS_OF_64_BITS = (2**63 - 1, -(2**63), 2**63, 2**64 + 1)
_AMOUNTS = (0, 1, -1, 82_975, 10**8, 120_000_000, *_ENDS_OF_64_BITS, 10**38 - 1, 1 - 10**38)
_TEXTS = ("1", "007", "1E5", "a,b", 'say "no"', "", " ", "null", "\N{GREEK SMALL LETTER OMEGA}")
_START = 1_714_521_600 * 10**9
_ALWAYS = ("exchange", "symbol", "timestamp")


def sample(node: str, window: Window = DAY, rows: int = 40, seed: int = 0) -> pa.RecordBatch:
    """Return rows of a node with nulls, extremes and awkward text; another seed, other rows."""
    of = SCHEMAS[node]
    columns = [_column(field, place, range(seed, seed + rows)) for place, field in enumerate(of)]
    columns[of.get_field_index("exchange")] = word(window.exchange, rows)
    columns[of.get_field_index("symbol")] = word(window.symbol, rows)
    return pa.RecordBatch.from_arrays(columns, schema=of)


def prove(node: str, *batches: pa.RecordBatch) -> Proof:
    """Return the proof of a node's rows."""
    digest = Digest(SCHEMAS[node])
    for batch in batches:
        digest.add(batch)
    return digest.proof()


def no_rows(*nodes: str) -> dict[str, Proof]:
    """Return the proofs of nodes that have no rows."""
    return {node: prove(node) for node in nodes}


def _column(field: pa.Field, place: int, numbers: range) -> pa.Array:
    rows = np.arange(numbers.start, numbers.stop)
    none = None if field.name in _ALWAYS else (rows + place) % 5 == 4
    if pa.types.is_timestamp(field.type):
        return pa.array(_START + rows * 1_234_567_891, pa.int64(), mask=none).view(field.type)
    values = _values(field.type)
    return values.take(pa.array(rows % len(values), mask=none)).cast(field.type)


def _values(of: pa.DataType) -> pa.Array:
    """Return what the rows of a column hold in turn."""
    if pa.types.is_decimal(of):
        return pa.array([Decimal(f"{amount}E-{of.scale}") for amount in _AMOUNTS], of)
    if pa.types.is_boolean(of):
        return pa.array([True, False], of)
    if pa.types.is_integer(of):
        most = 2 ** (of.bit_width - 1)
        return pa.array([0, 1, -1, most - 1, -most], of)
    return pa.array(_TEXTS, pa.string())


def _plain(given: Any, of: pa.Schema) -> list[list[Any]]:
    """Return rows as lists of plain values that compare exactly, however they were read."""
    if given is None:
        return []
    if isinstance(given, pa.Table):
        columns = [
            column.cast(TIME).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            for column in given.columns
        ]
        given = pa.table(columns, names=given.column_names).to_pylist()
    return [[_value(row[field.name], field.type) for field in of] for row in given]


def _value(value: Any, of: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_decimal(of):
        assert not isinstance(value, float), "an amount came back as a float"
        return Decimal(value)
    if pa.types.is_timestamp(of):
        return value if isinstance(value, int) else pa.scalar(value).cast(TIME).value
    return bool(value) if pa.types.is_boolean(of) else value


class SinkTests(Rules):
    """Give `sink` and `rows`; every test is a rule, and its docstring says which.

    Where a rule cannot be kept, override its test and mark it `pytest.mark.xfail(reason=…)`.
    """

    @pytest.fixture
    def sink(self) -> Sink:
        """Return the sink to be tested, writing below `tmp_path` or into a place of its own."""
        raise NotImplementedError(f"{type(self).__name__} must give the fixture sink")

    def rows(self, sink: Any, window: Window, node: str) -> Any:
        """Return a node's rows of a window in their order: a pa.Table, a dict a row, or None.

        Amounts may be Decimal or text, times nanoseconds, ISO text or datetime; more columns than
        the node's own do no harm.
        """
        raise NotImplementedError(f"{type(self).__name__} must give rows(self, sink, window, node)")

    @pytest.fixture
    def writer(self, sink: Sink) -> Iterator[Writer]:
        """Give a writer for all nodes."""
        writer = sink.open(SCHEMAS)
        yield writer
        writer.close()

    @pytest.fixture
    def replaces(self, sink: Sink) -> None:
        """Skip a test of replacing where a sink only appends."""
        if not sink.replaces:
            pytest.skip("this sink only appends")

    def put(self, sink: Sink, window: Window, *batches: pa.RecordBatch, node: str) -> Receipt:
        """Write and commit rows of one node by a writer of their own."""
        writer = sink.open(SCHEMAS)
        for batch in batches:
            writer.write(window, node, batch)
        receipt = writer.commit(window, {node: prove(node, *batches)})
        writer.close()
        return receipt

    def check(self, sink: Sink, window: Window, node: str, *expected: pa.RecordBatch) -> None:
        """Assert that just these rows are stored."""
        stored = _plain(self.rows(sink, window, node), SCHEMAS[node])
        assert stored == _plain(pa.Table.from_batches(expected, SCHEMAS[node]), SCHEMAS[node])

    @pytest.mark.parametrize("node", NODES)
    def test_rows_come_back_as_they_were_given(self, sink: Sink, node: str) -> None:
        """Every column of every schema is read back equal: nulls, extremes and awkward text too."""
        self.put(sink, DAY, sample(node), node=node)
        self.check(sink, DAY, node, sample(node))

    def test_all_nodes_of_a_window_are_committed_together(self, sink: Sink, writer: Writer) -> None:
        """One commit puts the rows of all nodes in place and speaks of each in its receipt."""
        for node in NODES:
            writer.write(DAY, node, sample(node))
        receipt = writer.commit(DAY, {node: prove(node, sample(node)) for node in NODES})
        for node in NODES:
            self.check(sink, DAY, node, sample(node))
            assert sink.holds(DAY, node, receipt)

    def test_nothing_given_makes_nothing(self, sink: Sink, tmp_path: Path) -> None:
        """A writer that is opened and closed leaves no trace."""
        before = sorted(tmp_path.rglob("*"))
        sink.open(SCHEMAS).close()
        assert sorted(tmp_path.rglob("*")) == before
        for node in NODES:
            self.check(sink, DAY, node)

    def test_a_window_without_rows_may_be_committed(self, sink: Sink, writer: Writer) -> None:
        """A commit without rows leaves no rows and gives a receipt that holds."""
        writer.write(DAY, "trades", sample("trades").slice(0, 0))
        receipt = writer.commit(DAY, no_rows(*NODES))
        for node in NODES:
            self.check(sink, DAY, node)
            assert sink.holds(DAY, node, receipt)

    def test_nothing_is_seen_before_the_commit(self, sink: Sink, writer: Writer) -> None:
        """Rows that are written and not committed cannot be read."""
        writer.write(DAY, "trades", sample("trades"))
        self.check(sink, DAY, "trades")
        writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
        self.check(sink, DAY, "trades", sample("trades"))

    def test_an_abort_leaves_nothing(self, sink: Sink, writer: Writer) -> None:
        """Rows that were aborted never come to be seen, not by a later commit either."""
        writer.write(DAY, "trades", sample("trades"))
        writer.abort()
        writer.write(DAY, "trades", sample("trades", seed=7))
        writer.commit(DAY, {"trades": prove("trades", sample("trades", seed=7))})
        self.check(sink, DAY, "trades", sample("trades", seed=7))

    @pytest.mark.parametrize("end", ["abort", "close"])
    def test_what_was_committed_stays(self, sink: Sink, end: str) -> None:
        """Neither an abort nor a close touches what was committed, or keeps what was not."""
        self.put(sink, DAY, sample("trades"), node="trades")
        writer = sink.open(SCHEMAS)
        writer.write(DAY, "trades", sample("trades", seed=7))
        if end == "abort":
            writer.abort()
        writer.close()
        self.check(sink, DAY, "trades", sample("trades"))

    @pytest.mark.usefixtures("replaces")
    @pytest.mark.parametrize("rows", [3, 40, 90])
    def test_a_window_written_again_replaces_the_first(self, sink: Sink, rows: int) -> None:
        """The second commit of a window leaves its rows alone, be they more or fewer."""
        self.put(sink, DAY, sample("ticks"), node="ticks")
        self.put(sink, DAY, sample("ticks", rows=rows, seed=5), node="ticks")
        self.check(sink, DAY, "ticks", sample("ticks", rows=rows, seed=5))

    @pytest.mark.usefixtures("replaces")
    def test_one_writer_may_commit_a_window_twice(self, sink: Sink, writer: Writer) -> None:
        """Replacing works within one writer as it does across two."""
        for seed in (1, 2):
            writer.write(DAY, "bars", sample("bars", seed=seed))
            writer.commit(DAY, {"bars": prove("bars", sample("bars", seed=seed))})
        self.check(sink, DAY, "bars", sample("bars", seed=2))

    @pytest.mark.usefixtures("replaces")
    def test_a_window_can_be_emptied(self, sink: Sink) -> None:
        """A commit without rows takes away the rows that were there."""
        self.put(sink, DAY, sample("ticks"), node="ticks")
        self.put(sink, DAY, node="ticks")
        self.check(sink, DAY, "ticks")

    @pytest.mark.parametrize("other", OTHERS)
    def test_other_windows_are_untouched(self, sink: Sink, other: str) -> None:
        """Days, symbols and exchanges are kept apart."""
        window = OTHERS[other]
        self.put(sink, window, sample("trades", window, seed=3), node="trades")
        self.put(sink, DAY, sample("trades"), node="trades")
        self.check(sink, window, "trades", sample("trades", window, seed=3))
        self.check(sink, DAY, "trades", sample("trades"))

    def test_a_commit_touches_only_the_nodes_it_names(self, sink: Sink) -> None:
        """A node that is not named keeps its rows."""
        self.put(sink, DAY, sample("ticks"), node="ticks")
        self.put(sink, DAY, sample("bars"), node="bars")
        self.check(sink, DAY, "ticks", sample("ticks"))
        self.check(sink, DAY, "bars", sample("bars"))

    def test_the_remainder_is_kept_apart(self, sink: Sink) -> None:
        """What is still open is no part of any day."""
        self.put(sink, DAY, sample("bars"), node="bars")
        self.put(sink, REMAINDER, sample("bars", rows=1, seed=9), node="bars")
        self.check(sink, DAY, "bars", sample("bars"))
        self.check(sink, REMAINDER, "bars", sample("bars", rows=1, seed=9))

    @pytest.mark.usefixtures("replaces")
    def test_the_remainder_is_replaced_and_removed(self, sink: Sink) -> None:
        """A remainder takes the place of the last one, and a commit without rows removes it."""
        for seed in (1, 2):
            self.put(sink, REMAINDER, sample("bars", rows=2, seed=seed), node="bars")
        self.check(sink, REMAINDER, "bars", sample("bars", rows=2, seed=2))
        self.put(sink, DAY, sample("bars"), node="bars")
        self.put(sink, REMAINDER, node="bars")
        self.check(sink, REMAINDER, "bars")
        self.check(sink, DAY, "bars", sample("bars"))

    @pytest.mark.parametrize("width", [1, 7, 40])
    def test_the_cut_of_batches_changes_nothing(self, sink: Sink, width: int) -> None:
        """The same rows are stored, whatever batches they came in, empty ones among them."""
        whole = sample("trades")
        pieces = [whole.slice(start, width) for start in range(0, len(whole), width)]
        self.put(sink, DAY, whole.slice(0, 0), *pieces, node="trades")
        self.check(sink, DAY, "trades", whole)

    def test_windows_may_be_open_side_by_side(self, sink: Sink, writer: Writer) -> None:
        """Rows of two symbols may come in turns, and each window is committed for itself."""
        other = OTHERS["symbol"]
        for seed in range(3):
            for window in (DAY, other):
                writer.write(window, "ticks", sample("ticks", window, seed=seed))
        expected = {w: [sample("ticks", w, seed=seed) for seed in range(3)] for w in (DAY, other)}
        for window in (other, DAY):
            self.check(sink, DAY, "ticks")
            proofs = no_rows(*NODES) | {"ticks": prove("ticks", *expected[window])}
            writer.commit(window, proofs)
        for window, rows in expected.items():
            self.check(sink, window, "ticks", *rows)

    def test_one_writer_takes_many_windows(self, sink: Sink, writer: Writer) -> None:
        """Day after day goes through one writer."""
        days = [Window("bazaar", "XBTUSD", date(2024, 5, day)) for day in range(1, 13)]
        for seed, window in enumerate(days):
            batch = sample("trades", window, rows=3, seed=seed)
            writer.write(window, "trades", batch)
            writer.commit(window, {"trades": prove("trades", batch)})
        for seed, window in enumerate(days):
            self.check(sink, window, "trades", sample("trades", window, rows=3, seed=seed))

    def test_strange_symbols_stay_apart_and_inside(
        self, sink: Sink, writer: Writer, tmp_path: Path
    ) -> None:
        """Every symbol has a place of its own, and none leads out of the sink's."""
        around = sorted(tmp_path.parent.iterdir())
        windows = [Window("bazaar", symbol, date(2024, 5, 1)) for symbol in STRANGE]
        for seed, window in enumerate(windows):
            batch = sample("trades", window, rows=2, seed=seed)
            writer.write(window, "trades", batch)
            writer.commit(window, {"trades": prove("trades", batch)})
        for seed, window in enumerate(windows):
            self.check(sink, window, "trades", sample("trades", window, rows=2, seed=seed))
        assert sorted(tmp_path.parent.iterdir()) == around
        assert len(list(tmp_path.iterdir())) <= 3

    def test_holds_tells_what_is_there(self, sink: Sink) -> None:
        """A receipt holds for its own window and node alone."""
        receipt = self.put(sink, DAY, sample("trades"), node="trades")
        assert sink.holds(DAY, "trades", receipt)
        assert not sink.holds(DAY, "ticks", receipt)
        for window in (REMAINDER, *OTHERS.values()):
            assert not sink.holds(window, "trades", receipt)

    @pytest.mark.usefixtures("replaces")
    def test_holds_notices_what_has_changed(self, sink: Sink) -> None:
        """A receipt holds no longer once there are fewer rows, none, or some where it says none."""
        full = self.put(sink, DAY, sample("trades"), node="trades")
        fewer = self.put(sink, DAY, sample("trades", rows=3), node="trades")
        assert sink.holds(DAY, "trades", fewer)
        assert not sink.holds(DAY, "trades", full)
        empty = self.put(sink, DAY, node="trades")
        assert sink.holds(DAY, "trades", empty)
        assert not sink.holds(DAY, "trades", fewer)
        self.put(sink, DAY, sample("trades"), node="trades")
        assert not sink.holds(DAY, "trades", empty)

    def test_a_receipt_is_plain_data(self, sink: Sink) -> None:
        """A receipt that went through JSON, as it does in the ledger, still holds."""
        receipt = self.put(sink, DAY, sample("trades"), node="trades")
        again = json.loads(json.dumps(receipt))
        assert again == receipt
        assert sink.holds(DAY, "trades", again)

    def test_it_is_a_frozen_attrs_class(self, sink: Any) -> None:
        """The sink is an attrs class that cannot be changed, and its docstring helps its user."""
        assert isinstance(sink.replaces, bool)
        check_frozen(sink)

    def test_every_option_has_a_help_text(self, sink: Any) -> None:
        """Each field is declared with `option` and explained in a sentence."""
        check_help(sink)

    def test_it_survives_pickling(self, sink: Sink) -> None:
        """A sink reaches another process whole, and what it wrote here is found there."""
        receipt = self.put(sink, DAY, sample("trades"), node="trades")
        twin = pickle.loads(pickle.dumps(sink))  # noqa: S301  (its own bytes)
        assert twin == sink
        assert twin.holds(DAY, "trades", receipt)
