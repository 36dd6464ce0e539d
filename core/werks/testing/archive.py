"""The rules that an archive door keeps, as tests that a plugin inherits and runs."""

import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ..components import Archive, Continuity
from ..errors import ChecksumError, MissingError
from ..http import Http
from ..schema import kind, nanoseconds
from .loopback import Loopback
from .rules import Rules, check_frozen, check_help
from .shelf import Published, Shelf, Totals, replaced

__all__ = ["ArchiveTests", "Published", "Totals"]

_NEVER_NULL = (
    *("exchange", "symbol", "timestamp", "trade_id"),
    *("tick_rule", "price", "size", "notional"),
)


class ArchiveTests(Rules):
    """Give `door` and `publish`; every test is a rule, and its docstring says which.

    Where a rule cannot be kept, override its test and mark it `pytest.mark.xfail(reason=…)`.
    """

    header = True
    """Whether the files begin with a line of column names."""
    rounding = Decimal(0)
    """The last digit to which the exchange rounds sizes or notionals; 0 where nothing is."""

    def door(self, url: str) -> Any:
        """Return the component, with each of its addresses changed to the server at `url`."""
        raise NotImplementedError(f"{type(self).__name__} must give door(self, url)")

    def publish(self, loopback: Loopback) -> Published:
        """Put files onto the server in the exchange's own layout and say what they hold."""
        raise NotImplementedError(f"{type(self).__name__} must give publish(self, loopback)")

    @pytest.fixture
    def component(self, loopback: Loopback) -> Archive:
        """Return the door to the loopback server."""
        door: Archive = self.door(loopback.url)
        return door

    @pytest.fixture
    def shelf(self, component: Archive, loopback: Loopback, http: Http) -> Shelf:
        """Return the door with what is published behind it."""
        return Shelf(component, self.publish(loopback), loopback, http, int(self.header))

    @pytest.fixture
    def batches(self, shelf: Shelf) -> list[pa.RecordBatch]:
        """Return all rows that are published."""
        return shelf.batches()

    def test_it_is_a_frozen_attrs_class_with_help(self, component: Archive) -> None:
        """A component is a frozen attrs class; it has a docstring, and each option has its help."""
        check_frozen(component)
        check_help(component)

    def test_an_address_is_no_part_of_the_identity(self, component: Archive) -> None:
        """An option that holds a URL has `identity=False`: a mirror changes no rows."""
        cls: Any = type(component)
        addresses = [field for field in attrs.fields(cls) if field.name.endswith("_url")]
        assert [field.name for field in addresses if field.metadata.get("identity")] == []

    def test_creating_it_does_no_io(self, loopback: Loopback) -> None:
        """Creating a component asks for nothing."""
        self.door(loopback.url)
        assert loopback.requests == []

    def test_it_survives_pickling(self, component: Archive) -> None:
        """A component can be sent to another process."""
        assert pickle.loads(pickle.dumps(component)) == component  # noqa: S301  (our own bytes)

    def test_it_states_its_facts(self, component: Archive) -> None:
        """A door states its exchange, schema, continuity, blind spots and lag."""
        assert component.exchange
        assert kind(component.schema) in {"TRADE", "TICK"}
        assert component.continuity in get_args(Continuity)
        assert component.lag >= timedelta(0)
        assert not isinstance(component.blind_spots, str)
        assert all(component.blind_spots)

    def test_ids_that_prove_nothing_are_called_so(self, component: Archive) -> None:
        """A door whose ids are not contiguous says in `blind_spots` what cannot be proven."""
        assert component.continuity == "contiguous" or len(component.blind_spots) > 0

    def test_files_are_of_the_days_asked_for(self, shelf: Shelf) -> None:
        """`files` yields the published files of the days asked for, and no others."""
        start, stop = shelf.published.start, shelf.published.stop
        days = [start + timedelta(days=n) for n in range((stop - start).days)]
        files = shelf.files()
        found = [day for day in days if any(file.start <= day < file.stop for file in files)]
        assert found == sorted(shelf.published.files)
        assert [file for file in files if file.stop <= start or stop <= file.start] == []

    def test_files_name_their_symbols(self, shelf: Shelf) -> None:
        """`files` yields every symbol that was asked for, and no other."""
        found = {symbol for file in shelf.files() for symbol in file.symbols}
        assert found == set(shelf.published.symbols)

    def test_an_unknown_symbol_gives_nothing(self, shelf: Shelf) -> None:
        """A symbol that the exchange does not have is MissingError, no file or no rows."""
        try:
            rows = sum(batch.num_rows for batch in shelf.batches("NOSUCHSYMBOL"))
        except MissingError:
            return
        assert rows == 0

    def test_rows_have_the_schema(self, shelf: Shelf, batches: list[pa.RecordBatch]) -> None:
        """Every batch has exactly the schema of the door, metadata included."""
        assert batches
        for batch in batches:
            batch.validate(full=True)
            assert batch.schema.equals(shelf.component.schema, check_metadata=True)

    def test_a_batch_is_of_one_symbol(self, shelf: Shelf, batches: list[pa.RecordBatch]) -> None:
        """A batch holds the door's exchange and one symbol, one that was asked for."""
        for batch in batches:
            assert batch["exchange"].unique().to_pylist() == [shelf.component.exchange]
            assert len(batch["symbol"].unique()) == 1
            assert _symbol(batch) in shelf.published.symbols

    def test_a_symbol_alone_gives_the_same(
        self, shelf: Shelf, batches: list[pa.RecordBatch]
    ) -> None:
        """The rows of a symbol do not depend on which others are asked for."""
        first = shelf.published.symbols[0]
        ours = [batch for batch in batches if _symbol(batch) == first]
        assert _rows(shelf.batches(first)) == _rows(ours)

    def test_totals_are_as_published(self, shelf: Shelf, batches: list[pa.RecordBatch]) -> None:
        """Rows, sizes and notionals of the days asked for come to what is published, exactly."""
        start, stop = _ns(shelf.published.start), _ns(shelf.published.stop)
        for symbol, expected in shelf.published.totals.items():
            ours = [batch for batch in batches if _symbol(batch) == symbol]
            rows = pa.Table.from_batches(ours, shelf.component.schema)
            times = rows["timestamp"].cast(pa.int64())
            kept = rows.filter(pc.and_(pc.less_equal(start, times), pc.less(times, stop)))
            assert Totals(len(kept), _sum(kept["size"]), _sum(kept["notional"])) == expected

    def test_reading_twice_gives_the_same(
        self, shelf: Shelf, batches: list[pa.RecordBatch]
    ) -> None:
        """Files that are read again give the same rows in the same order."""
        assert _rows(shelf.batches()) == _rows(batches)

    def test_times_lie_inside_the_file(self, shelf: Shelf) -> None:
        """Every row's time lies inside the days that its file covers."""
        for file in shelf.files():
            for batch in shelf.read(file):
                times = nanoseconds(batch["timestamp"])
                assert _ns(file.start) <= times.min()
                assert times.max() < _ns(file.stop)

    def test_nothing_is_left_out(self, batches: list[pa.RecordBatch]) -> None:
        """No field but `received`, which no archive knows, and `flag` is null."""
        for batch in batches:
            assert [name for name in _NEVER_NULL if batch[name].null_count] == []
            assert batch["received"].null_count == batch.num_rows

    def test_ids_are_unique_within_a_time(self, batches: list[pa.RecordBatch]) -> None:
        """No two rows of a symbol have the same time and the same id."""
        keys = [(row["symbol"], row["timestamp"], row["trade_id"]) for row in _rows(batches)]
        assert len(set(keys)) == len(keys)

    def test_the_taker_bought_or_sold(self, batches: list[pa.RecordBatch]) -> None:
        """`tick_rule` is +1 where the taker bought, −1 where it sold, 0 where that is unknown."""
        assert {sign for batch in batches for sign in batch["tick_rule"].to_pylist()} <= {-1, 0, 1}

    def test_amounts_are_positive(self, batches: list[pa.RecordBatch]) -> None:
        """Prices, sizes and notionals are above zero."""
        for batch in batches:
            assert all(pc.min(batch[name]).as_py() > 0 for name in ("price", "size", "notional"))

    def test_a_notional_is_price_times_size(self, batches: list[pa.RecordBatch]) -> None:
        """A trade's notional is price × size, off by no more than what the exchange rounds."""
        trades = [batch for batch in batches if kind(batch.schema) == "TRADE"]
        for row in _rows(trades):
            off = abs(row["notional"] - row["price"] * row["size"])
            assert off <= (row["price"] + 1) * self.rounding

    def test_a_tick_lies_within_its_range(self, batches: list[pa.RecordBatch]) -> None:
        """A tick's open and price lie between its low and high; it is one trade or more."""
        for row in _rows([batch for batch in batches if kind(batch.schema) == "TICK"]):
            assert row["low"] <= min(row["open"], row["price"])
            assert max(row["open"], row["price"]) <= row["high"]
            assert row["ticks"] >= 1

    def test_bytes_that_were_not_published(self, shelf: Shelf) -> None:
        """Where checksums are published, other bytes are a ChecksumError that names the file."""
        file = shelf.files()[0]
        if not file.checksum:
            pytest.skip("this archive publishes no checksums")
        shelf.publish(file, shelf.body(file) + b"\0")
        shelf.refused(file, error=ChecksumError)

    def test_a_file_that_is_cut_off(self, shelf: Shelf) -> None:
        """Half a file is an error that names it."""
        file = shelf.files()[0]
        body = shelf.body(file)
        shelf.refused(shelf.publish(file, body[: len(body) // 2]))

    def test_an_empty_file(self, shelf: Shelf) -> None:
        """A file without a byte is an error that names it."""
        shelf.refused(shelf.publish(shelf.files()[0], b""))

    def test_a_file_with_an_unknown_header(self, shelf: Shelf) -> None:
        """A file whose columns have other names is an error that names it."""
        file = shelf.files()[0]
        rows = shelf.lines(file)[shelf.header :]
        shelf.refused(shelf.rewrite(file, ["never,seen,names", *rows]))

    def test_a_row_with_a_missing_field(self, shelf: Shelf) -> None:
        """A row with a field too few is an error that names file and row."""
        shelf.refused(*shelf.change_row(shelf.files()[0], lambda cells, _: cells[:-1]))

    def test_a_row_with_an_empty_price(self, shelf: Shelf) -> None:
        """A row whose price is empty is an error that names file and row."""
        shelf.refused(*shelf.change_row(shelf.files()[0], replaced("")))

    def test_a_row_whose_price_is_no_number(self, shelf: Shelf) -> None:
        """A row whose price is a word is an error that names file and row."""
        shelf.refused(*shelf.change_row(shelf.files()[0], replaced("many")))

    def test_a_number_that_a_spreadsheet_has_cut(self, shelf: Shelf) -> None:
        """A file that a spreadsheet has saved, with `1.70027E+12` in it, is an error."""
        file, _ = shelf.change_row(shelf.files()[0], replaced("1.70027E+12"))
        shelf.refused(file)

    def test_a_day_without_trades(self, shelf: Shelf) -> None:
        """A file of a header, or of nothing where files have none, reads as no rows."""
        file = shelf.files()[0]
        quiet = shelf.rewrite(file, shelf.lines(file)[: shelf.header])
        assert sum(batch.num_rows for batch in shelf.read(quiet)) == 0


def _symbol(batch: pa.RecordBatch) -> str:
    return str(batch["symbol"][0])


def _rows(batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Return rows as plain data; times are nanoseconds, which a `datetime` could not hold."""
    rows = []
    for batch in batches:
        names = [name for name in batch.schema.names if name != "received"]
        columns = [batch[name] for name in names]
        plain = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in columns]
        rows += pa.RecordBatch.from_arrays(plain, names).to_pylist()
    return rows


def _sum(column: pa.ChunkedArray) -> Decimal:
    return sum(column.to_pylist(), Decimal(0))


def _ns(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(midnight.timestamp()) * 1_000_000_000
