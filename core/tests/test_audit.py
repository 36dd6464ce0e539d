"""An audit says of each file what is in it and what is wrong, and goes on with the next one."""

import gzip
import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from werks.cli import main
from werks.schema import Scales, batch, schema

BOOTH = '''
"""A booth that sells apples: a trade every twenty seconds."""

import re
from datetime import date, timedelta
from pathlib import Path

import attrs
import pyarrow as pa

from werks import amounts
from werks.archive import blocks, stamped
from werks.components import File, option
from werks.hookspecs import hookimpl
from werks.schema import Scales, batch, nanoseconds, schema, word

SCALES = Scales(2, 3)
COLUMNS = {"id": pa.string(), "time": pa.int64(), "price": pa.decimal128(38, 2),
           "size": pa.decimal128(38, 3)}


@attrs.frozen
class Trades:
    """The trades of a booth."""

    market: str = option("day", help="day or night")
    off = ""
    exchange = "booth"
    schema = schema("TRADE", SCALES)
    continuity = "contiguous"
    blind_spots = ()
    lag = timedelta(0)
    reach = None

    def files(self, symbols, start, stop, http):
        """Yield nothing."""
        return iter(())

    def recognises(self, path):
        """Return the file of a name like apples-2024-05-01.csv.gz."""
        found = re.fullmatch(r"([a-z]+)-(.+?)[.]csv([.]gz)?", path.rpartition("/")[2])
        if found is None:
            return None
        day = date.fromisoformat(found[2])
        return File(path, day, day + timedelta(days=1), (found[1],))

    def read(self, file, stream, symbols):
        """Yield the trades of a file."""
        for row, block in blocks(stream, file.url, COLUMNS):
            price, size = (amounts.ints(amounts.limbs(block[n])) for n in ("price", "size"))
            yield batch(
                self.schema,
                exchange=word("booth", len(block)),
                symbol=word(file.symbols[0], len(block)),
                timestamp=stamped(block["time"], 10**6, file.url, row),
                trade_id=block["id"],
                tick_rule=pa.array([1] * len(block), pa.int8()),
                price=block["price"],
                size=block["size"],
                notional=amounts.column(amounts.product(price, size), SCALES.notional),
            )


@attrs.frozen
class Candles:
    """The booth's own minutes, from a file of lines: time in ms, open, high, low, close, volume."""

    lines: str = option("", help="where they are", identity=False)
    off = ""
    exchange = "booth"
    schema = schema("CANDLE", SCALES)
    continuity = "none"
    interval = "1m"
    opens = "first"
    empty = "omit"
    settled = timedelta(0)

    def read(self, http, symbol, after, until):
        """Yield all minutes as one page."""
        rows = [line.split(",") for line in Path(self.lines).read_text().split()]
        if not rows:
            return
        columns = list(zip(*rows))
        names = ("open", "high", "low", "close", "volume")
        yield batch(
            self.schema,
            exchange=word("booth", len(rows)),
            symbol=word(symbol, len(rows)),
            interval=word("1m", len(rows)),
            timestamp=stamped(pa.array([int(each) for each in columns[0]]), 10**6, "lines", 1),
            **{name: pa.array(columns[n + 1]).cast(self.schema.field(name).type)
               for n, name in enumerate(names)},
        ), "end"


@hookimpl
def werks_archives():
    """Offer the trades."""
    return {"trades": Trades}


@hookimpl
def werks_histories():
    """Offer the candles."""
    return {"candles": Candles}
'''
DAY = date(2024, 5, 1)
ROWS = 300
HEADER = "id,time,price,size\n"


@pytest.fixture
def booth(tmp_path) -> Path:
    path = tmp_path / "booth.py"
    path.write_text(BOOTH)
    return path


def lines(day: date = DAY, rows: int = ROWS, first: int = 1) -> list[str]:
    """Return the trades of a day, one every twenty seconds."""
    begin = (day - date(1970, 1, 1)).days * 86_400_000
    return [
        f"{first + n},{begin + n * 20_000},{100 + n % 7}.50,{n % 9 + 1}.125\n" for n in range(rows)
    ]


def publish(folder: Path, rows: list[str], day: date = DAY, name: str = "apples") -> Path:
    path = folder / f"{name}-{day}.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "".join(rows)).encode()))
    return path


def audit(*arguments: object, code: int = 0):
    """Return the verdicts of an audit."""
    result = CliRunner().invoke(main, ["audit", *map(str, arguments), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)["files"]


def of(path: Path, booth: Path, *more: object, wrong: bool = False):
    """Return the one verdict of a file."""
    (found,) = audit(path, "--plugin", booth, *more, code=int(wrong))
    assert found["ok"] is not wrong
    return found


def test_a_good_file_is_good(tmp_path, booth):
    found = of(publish(tmp_path, lines()), booth)
    assert found["problems"] == found["notes"] == []
    assert (found["source"], found["kind"]) == ("booth.trades", "TRADE")
    assert (found["exchange"], found["symbol"]) == ("booth", "apples")
    assert (found["start"], found["stop"]) == ("2024-05-01", "2024-05-02")
    assert (found["rows"], found["repeats"], found["missing_ids"]) == (ROWS, 0, 0)
    assert (found["least"], found["most"], found["order"]) == (1, ROWS, "in order")
    assert found["first_time"] == "2024-05-01T00:00:00.000000000Z"
    sizes = [n % 9 + 1.125 for n in range(ROWS)]
    assert float(found["sums"]["size"]) == sum(sizes)
    assert float(found["sums"]["notional"]) == sum((100.5 + n % 7) * s for n, s in enumerate(sizes))


def test_newest_first_is_an_order(tmp_path, booth):
    found = of(publish(tmp_path, lines()[::-1]), booth)
    assert (found["order"], found["rows"], found["missing_ids"]) == ("newest first", ROWS, 0)


def test_rows_without_order_are_said(tmp_path, booth):
    rows = lines()
    rows[10], rows[200] = rows[200], rows[10]
    found = of(publish(tmp_path, rows), booth, wrong=True)
    assert found["order"] == "unordered"
    assert found["rows"] == ROWS
    assert found["missing_ids"] == found["repeats"] == 0


@pytest.mark.parametrize("backwards", [False, True])
def test_what_lacks_and_what_repeats_is_counted_in_any_order(tmp_path, booth, backwards):
    rows = lines()
    rows = [*rows[:50], *rows[53:100], rows[99], *rows[100:]]
    found = of(publish(tmp_path, rows[::-1] if backwards else rows), booth, wrong=True)
    assert (found["missing_ids"], found["repeats"]) == (3, 1)
    assert "missing trade ids: 3 (51 … 53)" in found["problems"]
    assert "rows that repeat an earlier one: 1" in found["problems"]


def test_rows_of_another_day_are_counted(tmp_path, booth):
    rows = [*lines()[:-1], *lines(DAY + timedelta(days=1), 2, ROWS)]
    found = of(publish(tmp_path, rows), booth, wrong=True)
    assert found["problems"] == [
        "rows outside of the file's days: 2 (the first at 2024-05-02T00:00:00.000000000Z, id 300)"
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("301,1714521600000,abc,1\n", "row 302: price cannot be 'abc'"),
        ("301,1714521600000,1.001,1\n", "row 302: price cannot be '1.001'"),
        ("301,1714521600,1.00,1\n", "row 302: timestamp 1714521600 is not a time"),
        ("301,1714521600000,1.00\n", "row 302 has 3 fields"),
    ],
)
def test_a_mangled_row_is_named(tmp_path, booth, row, said):
    found = of(publish(tmp_path, [*lines(), row]), booth, wrong=True)
    assert said in found["problems"][0]


def test_an_amount_of_nothing_is_wrong(tmp_path, booth):
    rows = [*lines(), f"{ROWS + 1},1714535940000,0.00,1\n"]
    found = of(publish(tmp_path, rows), booth, wrong=True)
    assert "rows with a price that is not above 0: 1" in found["problems"][0]


def test_a_cut_file_is_one_bad_row_and_the_others_are_looked_at(tmp_path, booth):
    cut = publish(tmp_path, lines())
    cut.write_bytes(cut.read_bytes()[:-200])
    (tmp_path / "empty-2024-05-01.csv.gz").write_bytes(b"")
    publish(tmp_path, lines(), name="pears")
    found = audit(tmp_path, "--plugin", booth, code=1)
    assert [each["ok"] for each in found] == [False, False, True]
    assert "cut off or corrupt" in found[0]["problems"][0]
    assert "empty" in found[1]["problems"][0]


def test_a_checksum_beside_the_file_is_checked(tmp_path, booth):
    path = publish(tmp_path, lines())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = tmp_path / f"{path.name}.CHECKSUM"
    beside.write_text(f"{digest}  {path.name}\n")
    assert of(path, booth)["checksum"] == "good"
    beside.write_text(f"{'0' * 64}  {path.name}\n")
    found = of(path, booth, wrong=True)
    assert (found["checksum"], found["rows"]) == ("wrong", ROWS)
    assert found["problems"] == ["the checksum is not the published one: broken, or replaced"]
    assert of(path, booth, "--checksum", digest.upper())["checksum"] == "good"
    beside.write_text("soon\n")
    assert "holds no SHA-256" in of(path, booth, wrong=True)["problems"][0]


def test_days_that_lack_and_ids_that_do_not_go_on_are_found(tmp_path, booth):
    for number, first in ((0, 1), (1, 301), (2, 611), (4, 911)):
        day = DAY + timedelta(days=number)
        publish(tmp_path, lines(day, ROWS, first), day)
    found = audit(tmp_path, "--plugin", booth, code=1)
    assert [each["ok"] for each in found] == [True, True, False, True]
    before = "apples-2024-05-02.csv.gz"
    assert found[2]["problems"] == [f"missing trade ids after {before}: 10 (601 … 610)"]
    said = "ids go on after apples-2024-05-03.csv.gz; there is no file of 2024-05-04"
    assert found[3]["notes"] == [said]


def test_trades_that_are_in_two_days_are_found(tmp_path, booth):
    publish(tmp_path, lines())
    day = DAY + timedelta(days=1)
    publish(tmp_path, lines(day, ROWS, 300), day)
    found = audit(tmp_path, "--plugin", booth, code=1)
    assert "the same trades are in both" in found[1]["problems"][0]


def candles(path: Path, rows: list[str], lost: int = -1) -> Path:
    """Write the minutes of trades, as if one trade more had been in them."""
    minutes: dict[int, list[tuple[str, float]]] = {}
    for row in rows:
        _, time, price, size = row.strip().split(",")
        minutes.setdefault(int(time) // 60_000, []).append((price, float(size)))
    text = []
    for number, (minute, trades) in enumerate(minutes.items()):
        prices, sizes = [price for price, _ in trades], sum(size for _, size in trades)
        edges = (prices[0], max(prices, key=float), min(prices, key=float), prices[-1])
        volume = sizes + (number == lost)
        text.append(",".join((str(minute * 60_000), *edges, f"{volume:.3f}")))
    path.write_text("\n".join(text))
    return path


def test_minutes_are_compared_with_candles_where_it_is_asked_for(tmp_path, booth):
    path, theirs = publish(tmp_path, lines()[::-1]), tmp_path / "lines"
    assert of(path, booth)["candles"] == ""
    online = ("--online", "-o", f"lines={candles(theirs, lines())}")
    assert of(path, booth, *online)["candles"] == "100 of 100 minutes are equal"
    candles(theirs, lines(), lost=7)
    found = of(path, booth, *online, wrong=True)
    assert found["candles"] == "99 of 100 minutes are equal"
    assert "the minute 2024-05-01 00:07: volume" in found["problems"][0]
    theirs.write_text("")
    assert "has no candles" in of(path, booth, *online)["candles"]


def test_candles_that_are_not_final_are_not_compared(tmp_path, booth):
    today = date.today()
    path = publish(tmp_path, lines(today), today)
    found = of(path, booth, "--online", "-o", f"lines={candles(tmp_path / 'lines', lines(today))}")
    assert found["candles"].startswith("unknown: they are not final before")


def test_a_file_that_nobody_knows_is_wrong(tmp_path, booth):
    path = tmp_path / "what.csv"
    path.write_text("a,b\n1,2\n")
    assert "no installed plugin knows" in of(path, booth, wrong=True)["problems"][0]
    path = publish(tmp_path, lines()).rename(tmp_path / "apples-2024-13-01.csv.gz")
    assert "no installed plugin knows" in of(path, booth, wrong=True)["problems"][0]
    found = of(path, booth, "--type", "booth.trades", wrong=True)
    assert "booth.trades does not know a file of that name" in found["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["nowhere"], "does not exist"),
        (["."], "there are no data files"),
        (["a.csv", "--type", "nobody.trades"], 'no plugin "nobody"'),
        (["a.csv", "--type", "booth.quotes"], 'no source "quotes"'),
        (["a.csv", "-o", "market"], "NAME=VALUE is expected"),
        (["a.csv", "--type", "booth.trades", "-o", "marked=1"], 'did you mean "market"'),
        (["a.csv", "--type", "booth.trades", "-o", "market=1"], "market: text is expected"),
        (["a.csv", "--checksum", "abc"], "64 hexadecimal digits"),
        (["a.csv", "b.csv", "--checksum", "0" * 64], "is of one file"),
    ],
)
def test_wrong_usage_is_said(tmp_path, booth, monkeypatch, arguments, said):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if arguments != ["."]:
        (folder / "a.csv").write_text("a\n")
        (folder / "b.csv").write_text("a\n")
    result = CliRunner().invoke(main, ["audit", *arguments, "--plugin", str(booth)])
    assert result.exit_code == 2
    assert said in result.stderr


def test_it_prints_a_table_and_what_is_wrong(tmp_path, booth):
    publish(tmp_path, lines())
    publish(tmp_path, lines()[5:], name="pears")
    publish(tmp_path, [*lines()[:5], *lines()[6:]], name="plums")
    result = CliRunner().invoke(main, ["audit", str(tmp_path), "--plugin", str(booth)])
    assert result.exit_code == 1
    good, bad = (
        next(line for line in result.stdout.splitlines() if name in line)
        for name in ("apples", "plums")
    )
    assert "300" in good
    assert good.split()[-1] == "good"
    assert bad.split()[-1] == "wrong"
    assert result.stderr == "wrong: plums-2024-05-01.csv.gz: missing trade ids: 1 (6)\n"
    assert result.stdout.splitlines()[-1] == "3 files: 1 of 3 wrong"


# Files of our own sinks, made by hand here; `tests/test_audit.py` has those of a run.

TRADE, BAR = schema("TRADE", Scales(2, 3)), schema("BAR", Scales(2, 3))
MINUTE = 60 * 10**9


def trades(day: date = DAY, rows: int = ROWS, first: int = 1) -> pa.RecordBatch:
    begin = (day - date(1970, 1, 1)).days * 86_400 * 10**9
    size, price = pa.array([2] * rows, pa.int64()), pa.array([5] * rows, pa.int64())
    return batch(
        TRADE,
        exchange=["booth"] * rows,
        symbol=["apples"] * rows,
        timestamp=[begin + n * 10**9 for n in range(rows)],
        trade_id=[str(first + n) for n in range(rows)],
        tick_rule=[1] * rows,
        price=price.cast(TRADE.field("price").type),
        size=size.cast(TRADE.field("size").type),
        notional=pa.array([10] * rows, pa.int64()).cast(TRADE.field("notional").type),
    )


def bars(rows: int = 10, **given) -> pa.RecordBatch:
    begin = (DAY - date(1970, 1, 1)).days * 86_400 * 10**9
    whole = {
        **dict.fromkeys(("open", "high", "low", "close"), 5),
        "volume": 2,
        "notional": 10,
        "buy_volume": 1,
        "buy_notional": 5,
        "ticks": 3,
        "buy_ticks": 1,
        "realized_variance": 0,
    }
    columns = {
        "timestamp": [begin + n * MINUTE for n in range(rows)],
        "end": [begin + (n + 1) * MINUTE for n in range(rows)],
        "first_trade_id": [str(3 * n) for n in range(rows)],
        "last_trade_id": [str(3 * n + 2) for n in range(rows)],
        "complete": [True] * rows,
    }
    columns |= {
        name: pa.array([value] * rows, pa.int64()).cast(BAR.field(name).type)
        for name, value in whole.items()
    }
    for name, (row, value) in given.items():
        kind = BAR.field(name).type
        values = pa.array(columns[name], kind).to_pylist()
        values[row] = value
        columns[name] = pa.array(values, kind)
    return batch(BAR, exchange=["booth"] * rows, symbol=["apples"] * rows, **columns)


def kept(folder: Path, rows: pa.RecordBatch, name: str = f"{DAY}.feather") -> Path:
    path = folder / "node" / "booth" / "apples" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_batches([rows]), path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_batch(rows)
    return path


def without(rows: pa.RecordBatch, row: int) -> pa.RecordBatch:
    return pa.concat_batches([rows.slice(0, row), rows.slice(row + 1)])


@pytest.mark.parametrize("name", [f"{DAY}.feather", f"{DAY}.parquet"])
def test_our_own_file_is_good(tmp_path, booth, name):
    found = of(kept(tmp_path, trades(), name), booth)
    assert (found["source"], found["kind"], found["rows"]) == ("werks", "TRADE", ROWS)
    assert found["sums"] == {"size": "600", "notional": "3000"}
    assert (found["least"], found["most"], found["missing_ids"]) == (1, ROWS, 0)


def test_a_dropped_row_is_found(tmp_path, booth):
    found = of(kept(tmp_path, without(trades(), 7)), booth, wrong=True)
    assert found["problems"] == ["missing trade ids: 1 (8)"]


def test_a_doubled_row_is_found(tmp_path, booth):
    rows = trades()
    rows = pa.concat_batches([rows.slice(0, 8), rows.slice(7)])
    found = of(kept(tmp_path, rows), booth, wrong=True)
    assert found["problems"] == ["rows that repeat an earlier one: 1"]


def test_swapped_rows_are_found(tmp_path, booth):
    order = [*range(7), 8, 7, *range(9, ROWS)]
    found = of(kept(tmp_path, trades().take(pa.array(order))), booth, wrong=True)
    assert found["problems"] == ["rows are not in order: unordered"]


def test_a_row_of_another_day_is_found_in_both(tmp_path, booth):
    day = DAY + timedelta(days=1)
    kept(tmp_path, trades().slice(0, ROWS - 1))
    late = trades(day, ROWS, ROWS + 1)
    kept(tmp_path, pa.concat_batches([trades().slice(ROWS - 1), late]), f"{day}.feather")
    found = audit(tmp_path, "--plugin", booth, code=1)
    assert [each["ok"] for each in found] == [True, False]
    assert "rows outside of the file's days: 1" in found[1]["problems"][0]


@pytest.mark.parametrize("name", [f"{DAY}.feather", f"{DAY}.parquet"])
@pytest.mark.parametrize("left", [0, 5, 0.5, 0.99])
def test_a_truncated_file_is_found(tmp_path, booth, name, left):
    path = kept(tmp_path, trades(), name)
    data = path.read_bytes()
    path.write_bytes(data[: left if isinstance(left, int) else int(len(data) * left)])
    assert "cut off or corrupt" in of(path, booth, wrong=True)["problems"][0]


def test_a_lost_day_is_found_though_its_ids_are_gone_with_it(tmp_path, booth):
    kept(tmp_path, trades())
    day = DAY + timedelta(days=2)
    kept(tmp_path, trades(day, ROWS, 2 * ROWS + 1), f"{day}.feather")
    found = audit(tmp_path, "--plugin", booth, code=1)
    said = "missing trade ids after 2024-05-01.feather: 300 (301 … 600)"
    assert found[1]["problems"] == [f"{said}; there is no file of 2024-05-02"]


def test_a_lost_day_is_found_where_ids_tell_nothing(tmp_path, booth):
    rows = trades().set_column(1, "symbol", pa.array(["apples"] * ROWS).dictionary_encode())
    other = rows.set_column(0, TRADE.field(0), pa.array(["x"] * ROWS).dictionary_encode())
    later = trades(DAY + timedelta(days=3))
    later = later.set_column(0, TRADE.field(0), pa.array(["x"] * ROWS).dictionary_encode())
    kept(tmp_path, other.cast(TRADE))
    kept(tmp_path, later, f"{DAY + timedelta(days=3)}.feather")
    found = audit(tmp_path, "--plugin", booth, code=1)
    said = "does not go on after 2024-05-01.feather; there is no file of 2024-05-02 … 2024-05-03"
    assert found[1]["problems"] == [said]


def test_bars_are_good(tmp_path, booth):
    found = of(kept(tmp_path, bars()), booth)
    assert found["sums"] == {"volume": "20", "notional": "100"}
    assert (found["least"], found["most"], found["missing_ids"]) == (0, 29, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": (3, 6)}, "rows with close below low: 1"),
        ({"high": (3, 4)}, "rows with open above high: 1"),
        ({"buy_volume": (3, 3)}, "rows with a buy_volume above volume: 1"),
        ({"buy_ticks": (3, 4)}, "rows with a buy_ticks above ticks: 1"),
        ({"open": (3, 0)}, "rows with a open that is not above 0: 1"),
        ({"notional": (3, 9)}, "rows with a notional that is not price × size: 1"),
        ({"first_trade_id": (3, "10")}, "missing trade ids: 1 (9)"),
        ({"last_trade_id": (3, "12")}, "trade ids that go back: 1 (12 comes after 12)"),
    ],
)
def test_a_bar_that_cannot_be_is_found(tmp_path, booth, given, said):
    found = of(kept(tmp_path, bars(**given)), booth, wrong=True)
    assert any(said in each for each in found["problems"])


def test_bars_that_overlap_are_found(tmp_path, booth):
    begin = (DAY - date(1970, 1, 1)).days * 86_400 * 10**9
    found = of(kept(tmp_path, bars(end=(3, begin + 5 * MINUTE))), booth, wrong=True)
    assert "bars that begin before the one above has ended: 1" in found["problems"][0]
    rows = bars()
    found = of(kept(tmp_path, pa.concat_batches([rows, rows.slice(9)])), booth, wrong=True)
    assert found["repeats"] == 1


def test_a_bar_is_complete_in_a_day_and_open_in_the_remainder(tmp_path, booth):
    found = of(kept(tmp_path, bars(complete=(9, False))), booth)
    assert found["notes"] == ["bars cut off by `reset`, or by a gap: 1"]
    path = kept(tmp_path, bars().slice(9), "open.feather")
    assert "complete bars where all are open: 1" in of(path, booth, wrong=True)["problems"][0]


def test_an_open_remainder_that_has_been_continued_is_found(tmp_path, booth):
    kept(tmp_path, bars())
    kept(tmp_path, bars(complete=(9, False)).slice(9), "open.feather")
    found = audit(tmp_path, "--plugin", booth, code=1)
    assert "the same trades are in both" in found[1]["problems"][0]


def test_swapped_units_are_found(tmp_path, booth):
    rows = trades()
    for name, value in (("size", 10), ("notional", 2)):
        kind = TRADE.field(name).type
        column = pa.array([value] * ROWS, pa.int64()).cast(kind)
        rows = rows.set_column(TRADE.get_field_index(name), TRADE.field(name), column)
    found = of(kept(tmp_path, rows), booth, wrong=True)
    assert found["problems"] == ["size and notional are swapped: notional × price is the size"]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "no sink of werks wrote it"),
        ({"werks.schema": "TRADE", "werks.version": "9"}, "is of version 9"),
        ({"werks.schema": "BAR", "werks.version": "1"}, "is no table of BAR: end"),
        ({"werks.schema": "POEM", "werks.version": "1"}, "an unknown kind: POEM"),
        ({"werks.schema": "TRADE", "werks.version": "old"}, "cut off or corrupt"),
    ],
)
def test_a_file_of_another_version_or_make_is_said(tmp_path, booth, metadata, said):
    path = kept(tmp_path, trades().replace_schema_metadata(metadata))
    assert said in of(path, booth, wrong=True)["problems"][0]


def test_a_value_that_lacks_is_said(tmp_path, booth):
    rows = trades()
    nothing = pa.nulls(ROWS, TRADE.field("price").type)
    rows = rows.set_column(TRADE.get_field_index("price"), TRADE.field("price"), nothing)
    assert of(kept(tmp_path, rows), booth, wrong=True)["problems"] == ["rows without price: 300"]
    assert "holds no rows" in of(kept(tmp_path, rows.slice(0, 0)), booth, wrong=True)["problems"][0]


def test_a_file_in_the_folder_of_another_symbol_is_said(tmp_path, booth):
    path = kept(tmp_path, trades())
    path = path.parent.rename(path.parent.parent / "pe%61rs") / path.name
    assert "lies in the folder of pe%61rs" in of(path, booth, wrong=True)["problems"][0]


def test_a_name_that_is_no_day_is_a_note(tmp_path, booth):
    found = of(kept(tmp_path, trades(), "mine.feather"), booth)
    assert "its name is no day" in found["notes"][0]
