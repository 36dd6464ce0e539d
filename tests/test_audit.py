"""`werks audit` on what a run has written, with something altered in it, and on real archives."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from shutil import copytree

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from werks.cli import main

from .conftest import csv_gz, day_rows

PIPELINE = """
[pipeline]
name = "audited"
state = "{root}/werks.db"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = 2024-01-01
stop = 2024-01-04
trades_per_day = 2000

[transforms.ticks]
type = "aggregate"

[transforms.big]
type = "filter"
min_notional = 10_000

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["big"]
by = "notional"
every = 1_000_000

[transforms.days]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1d"

"""
SINK = """
[sinks.{name}]
type = "{type}"
inputs = ["trades", "ticks", "big", "minutes", "dollars", "days"]
path = "{root}/data/{name}"
{option}
"""
FORMATS = {"feather": "feather", "parquet": "parquet", "csv": "csv", "floats": "feather"}


def audit(*arguments: object, code: int = 0) -> list[dict]:
    result = CliRunner().invoke(main, ["audit", *map(str, arguments), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)["files"]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Return the folder with what a run has written, a folder a sink."""
    root = tmp_path_factory.mktemp("audited")
    options = {"floats": 'amounts = "float64"', "csv": 'timestamps = "ns"'}
    sinks = "".join(
        SINK.format(name=name, type=type_, root=root, option=options.get(name, ""))
        for name, type_ in FORMATS.items()
    )
    (root / "p.toml").write_text(PIPELINE.format(root=root) + sinks)
    result = CliRunner().invoke(main, ["run", str(root / "p.toml"), "--quiet"])
    assert result.exit_code == 0, result.output
    return root / "data"


@pytest.fixture
def trades(written, tmp_path) -> Path:
    """Return a copy of three days of trades, contiguous ids in them."""
    copytree(written / "feather" / "trades", tmp_path / "trades")
    return tmp_path / "trades"


def test_what_a_run_writes_is_good(written):
    found = audit(written)
    assert len(found) > 4 * 2 * 3 * 5
    assert {each["kind"] for each in found} == {"TRADE", "TICK", "SIGNIFICANT", "BAR"}
    assert all(each["missing_ids"] == each["repeats"] == 0 for each in found)
    assert all(each["problems"] == [] for each in found)


@pytest.mark.long
def test_every_format_has_the_same_figures(written):
    def figures(name: str) -> dict[tuple[str, ...], dict]:
        folder = written / name
        left_out = {"path", "notes"} | ({"sums"} if name == "floats" else set())
        return {
            Path(each["path"]).relative_to(folder).with_suffix("").parts: {
                key: value for key, value in each.items() if key not in left_out
            }
            for each in audit(folder)
        }

    exact = figures("feather")
    assert figures("parquet") == figures("csv") == exact
    for each in exact.values():
        del each["sums"]
    assert figures("floats") == exact


def test_totals_of_all_nodes_of_a_day_are_the_same(written):
    found = audit(written / "feather")
    totals: dict[str, set[tuple[str, ...]]] = {}
    for each in found:
        node = Path(each["path"]).parts[-4]
        if each["symbol"] == "BTCUSD" and node != "dollars":
            totals.setdefault(each["start"], set()).add(tuple(each["sums"].values()))
    assert {day: len(sums) for day, sums in totals.items()} == dict.fromkeys(totals, 1)
    assert len(totals) == 3


@pytest.mark.long
def test_minutes_of_what_was_written_are_the_exchanges(written):
    found = audit(written / "csv", "--online", "-o", "trades_per_day=2000")
    by_node = {Path(each["path"]).parts[-4]: each["candles"] for each in found}
    assert {node for node, said in by_node.items() if said} == {"trades", "ticks", "big", "minutes"}
    assert all(each["candles"].endswith("minutes are equal") for each in found if each["candles"])
    found = audit(written / "parquet" / "minutes", "--online", "-o", "trades_per_day=1900", code=1)
    assert not any(each["ok"] for each in found)


Altered = Callable[[pa.Table], pa.Table]


def drop(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 10), rows.slice(11)])


def double(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 11), rows.slice(10)])


def swap(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array([*range(10), 11, 10, *range(12, len(rows))]))


def move(rows: pa.Table) -> pa.Table:
    """Move the first row to the day before."""
    column = rows["timestamp"].cast(pa.int64()).to_numpy().copy()
    column[0] -= 86_400 * 10**9
    times = pa.array(column).cast(rows.schema.field("timestamp").type)
    return rows.set_column(2, rows.schema.field("timestamp"), times)


def rewritten(path: Path, how: Altered) -> None:
    """Alter the rows of a file."""
    if path.suffix == ".feather":
        with pa.OSFile(str(path)) as source:
            rows = how(pa.ipc.open_file(source).read_all())
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)
    elif path.suffix == ".parquet":
        parquet.write_table(how(parquet.read_table(path)), path)
    else:
        kinds = pacsv.ConvertOptions(column_types=dict.fromkeys(header(path), pa.string()))
        rows = how(pacsv.read_csv(path, convert_options=kinds))
        pacsv.write_csv(rows, path, pacsv.WriteOptions(quoting_style="none"))


def header(path: Path) -> list[str]:
    return path.read_text().partition("\n")[0].split(",")


@pytest.mark.parametrize("type_", ["feather", "parquet", "csv"])
@pytest.mark.parametrize("node", ["trades", "ticks", "big", "minutes"])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        (drop, "missing trade ids: "),
        (double, "rows that repeat an earlier one: 1"),
        (swap, "not in order"),
    ],
)
@pytest.mark.few(5)
def test_an_altered_row_is_found(written, tmp_path, type_, node, how, said):
    copytree(written / type_ / node / "sim" / "BTCUSD", tmp_path / "BTCUSD")
    path = tmp_path / "BTCUSD" / f"2024-01-02.{type_}"
    rewritten(path, how)
    found = audit(tmp_path, code=1)
    assert [each["ok"] for each in found] == [True, False, True]
    assert any(said in each for each in found[1]["problems"])


def test_a_row_that_is_moved_to_another_day_is_found(trades):
    rewritten(trades / "sim" / "BTCUSD" / "2024-01-02.feather", move)
    found = audit(trades, code=1)
    (bad,) = [each for each in found if not each["ok"]]
    assert "rows outside of the file's days: 1" in bad["problems"][0]


def test_a_file_of_another_day_is_found(trades):
    folder = trades / "sim" / "BTCUSD"
    (folder / "2024-01-02.feather").rename(folder / "2024-01-05.feather")
    bad = [each for each in audit(trades, code=1) if not each["ok"]]
    assert [Path(each["path"]).stem for each in bad] == ["2024-01-03", "2024-01-05"]
    assert "rows outside of the file's days" in bad[1]["problems"][0]


def test_a_day_that_is_gone_is_found(trades):
    (trades / "sim" / "ETHUSD" / "2024-01-02.feather").unlink()
    (bad,) = [each for each in audit(trades, code=1) if not each["ok"]]
    assert bad["problems"][0].startswith("missing trade ids after 2024-01-01.feather: ")
    assert bad["problems"][0].endswith("; there is no file of 2024-01-02")


@pytest.mark.parametrize("type_", ["feather", "parquet", "csv"])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.9])
def test_a_cut_file_is_found_and_the_others_are_good(written, tmp_path, type_, left):
    copytree(written / type_ / "trades" / "sim" / "BTCUSD", tmp_path / "BTCUSD")
    path = tmp_path / "BTCUSD" / f"2024-01-02.{type_}"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    found = audit(tmp_path, code=1)
    # A cut file of text may end with a whole line: then its ids do not go on in the next file.
    assert found[0]["ok"]
    assert not (found[1]["ok"] and found[2]["ok"])


@pytest.mark.parametrize("place", range(7))
def test_no_altered_byte_stops_the_audit(trades, place):
    """A byte may be altered so that all is still true; it is read, or it is said to be wrong."""
    path = trades / "sim" / "BTCUSD" / "2024-01-02.feather"
    data = bytearray(path.read_bytes())
    data[len(data) * (2 * place + 1) // 14] ^= 0xFF
    path.write_bytes(data)
    result = CliRunner().invoke(main, ["audit", str(trades), "--json"])
    assert result.exit_code in (0, 1), result.output
    assert len(json.loads(result.stdout)["files"]) == 6


def test_a_file_that_was_published_is_known_by_its_name(tmp_path):
    days = [date(2024, 3, 1) + timedelta(days=number) for number in range(2)]
    for day in days:
        path = tmp_path / f"BTCUSDT{day}.csv.gz"
        path.write_bytes(csv_gz(day_rows("BTCUSDT", day)))
    found = audit(tmp_path)
    assert [(each["exchange"], each["rows"]) for each in found] == [("bybit-linear", 3000)] * 2
    path.rename(tmp_path / "BTCUSDT2024-03-03.csv.gz")
    found = audit(tmp_path, code=1)
    assert "outside" in found[1]["problems"][0]
    assert "there is no file of 2024-03-02" in found[1]["problems"][1]


BITMEX = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional\n"
)


def test_a_file_of_many_markets_has_a_verdict_for_each(tmp_path):
    path = tmp_path / "20191001.csv"
    row = "2019-10-01D00:00:0{n}.000000000,{symbol},Buy,100,8000,PlusTick,{n},1250000,0.0125,100\n"
    many = [row.format(n=n, symbol=s) for n in range(3) for s in ("XBTUSD", ".BXBT", "XBTZ19")]
    path.write_text(BITMEX + "".join(many))
    found = audit(path)
    assert [(each["symbol"], each["rows"]) for each in found] == [("XBTUSD", 3), ("XBTZ19", 3)]
    assert found[0]["sums"] == {"size": "0.0375", "notional": "300"}
    (one,) = audit(path, "--symbol", "XBTZ19")
    assert one["symbol"] == "XBTZ19"


@pytest.mark.parametrize(
    ("folder", "market", "exchange"),
    [("spot", "spot", "binance"), ("futures/um", "usdm", "binance-usdm")],
)
def test_the_folder_of_a_copy_tells_the_market(tmp_path, folder, market, exchange):
    path = tmp_path / folder / "BTCUSDT-trades-2024-01-01.csv"
    path.parent.mkdir(parents=True)
    path.write_text(
        "id,price,qty,quote_qty,time,is_buyer_maker\n"
        "1,100.5,2,201,1704067200000,true\n"
        "2,100.5,2,201,1704067200000,false\n"
    )
    (found,) = audit(path)
    assert (found["exchange"], found["rows"]) == (exchange, 2)
    alone = tmp_path / path.name
    path.rename(alone)
    (found,) = audit(alone, code=1)
    assert "say which by --type and -o market=" in found["problems"][0]
    (found,) = audit(alone, "-o", f"market={market}")
    assert found["exchange"] == exchange


def test_a_real_published_day(captures):
    (found,) = audit(captures / "bybit" / "archive-trading-BTCUSD2019-10-01.csv.gz")
    assert (found["exchange"], found["symbol"]) == ("bybit-inverse", "BTCUSD")
    assert (found["rows"], found["repeats"]) == (93_598, 0)
    assert found["order"] == "newest first"
    assert found["sums"]["notional"] == "933178345"
    assert found["first_time"] == "2019-10-01T00:00:00.719213000Z"
    assert found["last_time"] == "2019-10-01T23:59:56.557895000Z"
    assert found["ok"]


def excerpt(captures: Path, folder: Path, name: str, published: str) -> Path:
    """Give an excerpt the name that its file was published by."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / published
    path.symlink_to(captures / "binance" / f"archive-excerpt-{name}.csv")
    return path


def test_real_files_without_order_are_said(captures, tmp_path):
    name = "usdm-aggtrades-BTCUSDT-2023-05-unordered"
    path = excerpt(captures, tmp_path, name, "BTCUSDT-aggTrades-2023-05.csv")
    (found,) = audit(path, "--type", "binance.aggtrades", "-o", "market=usdm", code=1)
    assert (found["rows"], found["order"]) == (10, "unordered")
    assert (found["start"], found["stop"]) == ("2023-05-01", "2023-06-01")


def test_ids_of_trades_that_are_left_out_of_an_aggregate_are_no_gap(captures, tmp_path):
    name = "usdm-aggtrades-BTCUSDT-2024-07-04-gaps"
    path = excerpt(captures, tmp_path, name, "BTCUSDT-aggTrades-2024-07-04.csv")
    (found,) = audit(path)
    assert (found["rows"], found["missing_ids"], found["ok"]) == (4, 0, True)


def test_a_real_gap_between_two_days_is_found(captures, tmp_path):
    for day, part in (("2021-12-14", "tail"), ("2021-12-15", "head")):
        name = f"spot-aggtrades-BTCUSDT-{day}-{part}"
        excerpt(captures, tmp_path / "spot", name, f"BTCUSDT-aggTrades-{day}.csv")
    found = audit(tmp_path, code=1)
    assert [each["missing_ids"] for each in found] == [0, 0]
    before = "BTCUSDT-aggTrades-2021-12-14.csv"
    said = f"missing trade ids after {before}: 674,766 (1031427012 … 1032101777)"
    assert found[1]["problems"] == [said]
