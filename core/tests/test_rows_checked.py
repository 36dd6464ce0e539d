"""Rows that are not what a plugin states are refused at every door, in one line."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from werks.checked import Checked, MisfitError
from werks.errors import DataError
from werks.history import Pages, Span
from werks.pipeline import load, run
from werks.schema import Scales, batch, empty, nanoseconds, schema, times, word

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 5, 3, 12, tzinfo=UTC)
TRADE = schema("TRADE", Scales(2, 4))
TIME = 1_714_521_600_000_000_000
TEXT = """
[pipeline]
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-02
folder = "shelf"

[sinks.lines]
type = "shop"
path = "out"
"""


def made(rows=3, **other):
    columns = {
        "exchange": word("shop", rows),
        "symbol": word("X", rows),
        "timestamp": times(TIME + np.arange(rows)),
        "trade_id": [str(n) for n in range(rows)],
        "tick_rule": [1, -1, 0][:rows],
        **dict.fromkeys(("price", "size", "notional"), [Decimal(1)] * rows),
    }
    return batch(TRADE, **(columns | other))


def scaled(rows):
    place = rows.schema.get_field_index("price")
    return rows.set_column(place, "price", rows["price"].cast(pa.decimal128(38, 6)))


def texts(rows):
    place = rows.schema.get_field_index("tick_rule")
    return rows.set_column(place, "tick_rule", rows["tick_rule"].cast(pa.string()))


MISFITS = {
    "another scale": (scaled, r"price is decimal128\(38, 6\), the plugin states decimal128\(38, 2"),
    "another type": (texts, "tick_rule is string, the plugin states int8"),
    "a column too few": (lambda rows: rows.drop_columns(["flag"]), "flag is not there"),
    "a column too many": (lambda rows: rows.append_column("more", rows["flag"]), "more is there"),
    "another order": (lambda rows: rows.select(rows.schema.names[::-1]), "the columns are flag, n"),
    "a column twice": (lambda rows: rows.append_column("flag", rows["flag"]), "flag is more than"),
    "a table": (lambda rows: pa.Table.from_batches([rows]), "expected, not a Table"),
    "nothing": (lambda rows: None, "a RecordBatch is expected, not a NoneType"),
    "a list": (lambda rows: [rows], "a RecordBatch is expected, not a list"),
}
EVERY = pytest.mark.parametrize(("change", "said"), MISFITS.values(), ids=MISFITS)


@pytest.fixture
def shelf(shop, tmp_path, monkeypatch):
    """Return the doors of a pipeline that reads a day of an archive."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "werks_file_shop", raising=False)
    (tmp_path / "shelf").mkdir()
    shop.day_file(tmp_path / "shelf", "X", date(2024, 5, 1))
    Path("p.toml").write_text(TEXT)
    return load(Path("p.toml"), NOW, (SHOP,))


@EVERY
def test_an_archive_gives_what_is_stated(shelf, monkeypatch, change, said):
    door = type(shelf.branches[0].source.door)
    read = door.read
    monkeypatch.setattr(door, "read", lambda *given: map(change, read(*given)))
    ((_, error),) = run(shelf, now=NOW).errors
    assert isinstance(error, MisfitError)
    assert str(error).startswith("file:///")
    assert "X-2024-05-01.csv: " in str(error)
    with pytest.raises(MisfitError, match=said):
        raise error
    assert "\n" not in str(error)
    assert not list(Path().glob("out/**/*.txt"))


class Door:
    """A history of the pages that are given."""

    schema, continuity = TRADE, "unique"

    def __init__(self, *pages):
        self.pages = pages

    def read(self, *_):
        yield from self.pages


def read(*pages):
    return list(Pages(Door(*pages), None, Span("X", TIME, TIME + 10**9), "shop X"))


@EVERY
def test_a_history_gives_what_is_stated(change, said):
    with pytest.raises(MisfitError, match=f"^shop X: .*{said}"):
        read((made(), "1"), (change(made()), "2"))


@EVERY
def test_what_is_stated_is_told_of_any_batch(change, said):
    checked = Checked(TRADE)
    checked.require(made().replace_schema_metadata({"more": "of it"}), "x")
    checked.require(empty(TRADE), "x")
    with pytest.raises(MisfitError, match=f"^x: .*{said}.*: mend the plugin$"):
        checked.require(change(made()), "x")


def test_a_history_gives_pages_with_their_cursors():
    assert read((made(), "1"))[0].num_rows == 3
    with pytest.raises(MisfitError, match="a page and a cursor are expected, not RecordBatch"):
        read(made())


def test_a_history_gives_rows_of_the_symbol_that_is_asked_for():
    with pytest.raises(MisfitError, match="rows of 'Y', which was not asked for: mend the plugin"):
        read((made(symbol=word("Y", 3)), "1"))


def test_a_history_has_no_row_that_cannot_be_true():
    late = made(timestamp=times(TIME + np.array([1, 2, 10**9])), price=[Decimal(1)] * 2 + [0])
    assert read((late, "1"))[0].num_rows == 2  # what was not asked for does not matter
    with pytest.raises(DataError, match=r"^shop X: the trade 1 of 2024-05-01T.*price .* above 0$"):
        read((made(price=[Decimal(1), Decimal(0), Decimal(1)]), "1"))
    with pytest.raises(DataError, match="row 2 of a batch has no timestamp"):
        read((made(timestamp=pa.array([TIME, None, TIME], TRADE.field("timestamp").type)), "1"))


TOO_LATE = times(TIME + np.array([0, 2 * 86_400 * 10**9, 0]))
WRONG = {
    "no price": ({"price": [Decimal(1), None, Decimal(1)]}, ["has no price"]),
    "a price of nothing": ({"price": [Decimal(1), Decimal(0), Decimal(1)]}, ["a price that is"]),
    "a size below": ({"size": [Decimal(1), Decimal(-1), Decimal(1)]}, ["a size that is not above"]),
    "no notional": ({"notional": [Decimal(1), None, Decimal(1)]}, ["has no notional"]),
    "an empty id": ({"trade_id": ["1", "", "2"]}, ["has no id"]),
    "no side": ({"tick_rule": [1, None, 1]}, ["has no tick_rule"]),
    "another side": ({"tick_rule": [1, -128, 1]}, ["has a tick_rule beyond"]),
    "another flag": ({"flag": [None, "odd", "block"]}, ["has a flag that is none of"]),
    "too early": ({"timestamp": times(np.array([TIME, 1, TIME]))}, ["has a time before 2009"]),
    "too late": ({"timestamp": TOO_LATE}, ["has a time before 2009 or after now"]),
    "two wrongs": (
        {"price": [Decimal(1), Decimal(0), Decimal(1)], "tick_rule": [1, 5, 1]},
        ["price that is not", "tick_rule beyond"],
    ),
}


@pytest.mark.parametrize(("columns", "said"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("cut", [0, 1])
def test_what_cannot_be_true_is_found_in_its_row(columns, said, cut):
    rows = made(**columns).slice(cut)
    faults = list(Checked(TRADE).faults(rows, TIME))
    for words, fault in zip(said, faults, strict=True):
        assert words in fault.said(rows)
        assert np.flatnonzero(fault.rows).tolist() == [1 - cut]


def test_true_rows_have_no_fault():
    wide = Decimal(2**64).scaleb(-2)  # its lower half is 0
    flagged = made(price=[wide, Decimal(0), wide], flag=[None, "off_book", None])
    for rows in (made(), flagged, made(timestamp=times(np.full(3, TIME + 86_400 * 10**9)))):
        assert list(Checked(TRADE).faults(rows, TIME)) == []
    assert nanoseconds(made()["timestamp"])[0] == TIME


def test_rows_other_than_trades_need_a_time():
    candle = schema("CANDLE", Scales(2, 4))
    fixed = {"exchange": word("x", 1), "symbol": word("X", 1)}
    checked = Checked(candle)
    assert not list(checked.faults(batch(candle, **fixed, timestamp=times(np.array([TIME]))), TIME))
    (fault,) = checked.faults(batch(candle, **fixed), TIME)
    assert fault.why.startswith("has no timestamp")
