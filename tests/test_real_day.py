"""A whole published day of a real exchange through `werks run`, against its known figures.

The recording is `bybit/archive-trading-BTCUSD2019-10-01.csv.gz` of the captures (PROVENANCE.md).
"""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from werks.cli import main

from .conftest import exact, read

RECORDING = "bybit/archive-trading-BTCUSD2019-10-01.csv.gz"
FILE = """
[pipeline]
name = "real"
state = "{root}/werks.db"

[sources.trades]
type = "bybit.trades"
market = "inverse"
symbols = ["BTCUSD"]
start = 2019-10-01
stop = 2019-10-02
archive_url = "{url}"

[transforms.ticks]
type = "aggregate"

[transforms.big]
type = "filter"
inputs = ["ticks"]
min_notional = 1000

[transforms.huge]
type = "filter"
inputs = ["ticks"]
min_notional = 50_000

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.minutes_of_trades]
type = "bars"
inputs = ["trades"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = 1_000_000

[transforms.dollars_of_trades]
type = "bars"
inputs = ["trades"]
by = "notional"
every = 1_000_000

[sinks.files]
type = "feather"
inputs = [
  "trades", "ticks", "big", "huge",
  "minutes", "minutes_of_trades", "dollars", "dollars_of_trades",
]
path = "{root}/data"
"""


@pytest.fixture(scope="module")
def day(captures, tmp_path_factory) -> Path:
    """Return the folder with what `werks run` made of the recording."""
    from werks.testing import Loopback

    root = tmp_path_factory.mktemp("day")
    with Loopback() as server:
        server.put("/trading/BTCUSD/BTCUSD2019-10-01.csv.gz", (captures / RECORDING).read_bytes())
        (root / "p.toml").write_text(FILE.format(root=root, url=server.url), encoding="utf-8")
        result = CliRunner().invoke(main, ["run", str(root / "p.toml")])
        assert result.exit_code == 0, result.output
        assert "93,598 rows" in result.output
        again = CliRunner().invoke(main, ["run", str(root / "p.toml")])
        assert again.exit_code == 0
        assert "nothing to do: 1 window in the ledger already" in again.output
    return root / "data"


def table(day: Path, node: str) -> pa.Table:
    return read(day / node / "bybit-inverse" / "BTCUSD")


def test_every_trade_is_there_once_oldest_first_with_exact_sums(day):
    trades = table(day, "trades")
    assert len(trades) == 93_598
    assert len(set(trades["trade_id"].to_pylist())) == 93_598
    assert exact(trades, "notional") == 933_178_345
    assert exact(trades, "size") == Decimal("111415.49185099")
    time = trades["timestamp"].cast(pa.int64()).to_numpy()
    assert (np.diff(time) >= 0).all()
    assert time[0] == 1_569_888_000_719_213_000
    assert time[-1] == 1_569_974_396_557_895_000


def test_ticks_fold_the_fills_of_one_order(day):
    ticks = table(day, "ticks")
    assert len(ticks) == 66_710
    assert sum(ticks["ticks"].to_pylist()) == 93_598
    assert exact(ticks, "notional") == 933_178_345
    assert exact(ticks, "size") == Decimal("111415.49185099")


@pytest.mark.parametrize(("node", "rows"), [("big", 43_322), ("huge", 6_043)])
def test_filtered_rows_keep_the_totals_of_the_whole_day(day, node, rows):
    kept = table(day, node)
    assert len(kept) == rows
    assert exact(kept, "total_notional") == 933_178_345
    assert exact(kept, "total_size") == Decimal("111415.49185099")
    assert exact(kept, "total_buy_notional") == 471_163_388
    assert sum(kept["total_ticks"].to_pylist()) == 93_598
    assert sum(kept["total_buy_ticks"].to_pylist()) == 47_487


def test_the_first_minute_is_as_recorded(day):
    minutes = table(day, "minutes")
    first = minutes.slice(0, 1).to_pylist()[0]
    names = ("open", "high", "low", "close", "volume", "notional", "ticks", "buy_ticks")
    expected = ("8297.5", "8340.0", "8297.5", "8306.0", "413.43797303", "3440841", "403", "331")
    assert len(minutes) == 1_440
    assert [first[name] for name in names] == [Decimal(text) for text in expected]
    assert all(minutes["complete"].to_pylist())


def test_minutes_from_trades_and_from_ticks_are_equal_but_for_the_variance(day):
    ours, theirs = table(day, "minutes"), table(day, "minutes_of_trades")
    for name in ours.schema.names:
        same = ours[name].combine_chunks().equals(theirs[name].combine_chunks())
        assert same == (name != "realized_variance"), name


@pytest.mark.parametrize(("node", "rows"), [("dollars", 866), ("dollars_of_trades", 898)])
def test_notional_bars_end_with_one_that_is_open(day, node, rows):
    bars = table(day, node)
    assert len(bars) == rows
    assert bars["complete"].to_pylist() == [True] * (rows - 1) + [False]
    assert exact(bars, "notional") == 933_178_345
    folder = day / node / "bybit-inverse" / "BTCUSD"
    assert sorted(path.name for path in folder.glob("*.*")) == [
        "2019-10-01.feather",
        "open.feather",
    ]
    rest = pa.ipc.open_file(pa.OSFile(str(folder / "open.feather"))).read_all()
    assert rest["complete"].to_pylist() == [False]


def test_the_first_notional_bar_is_as_recorded(day):
    first = table(day, "dollars").slice(0, 1)
    assert first["end"].cast(pa.int64()).to_pylist() == [1_569_888_020_901_823_000]
    assert first["notional"].to_pylist() == [1_022_774]
    assert first["ticks"].to_pylist() == [214]
