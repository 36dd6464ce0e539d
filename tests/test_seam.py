"""Where ids are not contiguous, archive and REST are joined by trades that both have."""

import gzip
import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from werks.ledger import Ledger
from werks.pipeline import load, run

from .conftest import read

FIRST = datetime(2019, 5, 3, tzinfo=UTC)
NOW = datetime(2019, 6, 1, tzinfo=UTC)
COLUMNS = (
    *("timestamp", "symbol", "side", "size", "price"),
    *("tickDirection", "trdMatchID", "grossValue", "homeNotional", "foreignNotional"),
)
TEXT = """
[pipeline]
state = "{root}/werks.db"
quarantine = "{root}/quarantine"

[sources.trades]
type = "bitmex.trades"
symbols = ["XBTUSD"]
start = 2019-05-03
stop = 2019-05-05
archive_url = "{url}"
listing_url = "{url}"
rest_url = "{url}"

[sinks.files]
type = "feather"
path = "{root}/data"
"""


def trade(number: int, moment: datetime) -> dict:
    price, lots = 5700 + number % 9 / 2, number % 4 + 1
    gross = round(100 * 10**8 / price) * lots
    return {
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "symbol": "XBTUSD",
        "side": "Buy" if number % 3 else "Sell",
        "size": 100 * lots,
        "price": price,
        "tickDirection": "ZeroMinusTick",
        "trdMatchID": f"e9836e7b-0000-4000-8000-{number:012}",
        "grossValue": gross,
        "homeNotional": gross / 1e8,
        "foreignNotional": 100 * lots,
    }


def tape(last: timedelta) -> list[dict]:
    """Return two days of trades; the first day's last one comes so long before midnight."""
    begin = [FIRST + timedelta(minutes=40 * n) for n in range(30)]
    begin += [FIRST + timedelta(days=1) - last]
    rest = [FIRST + timedelta(days=1, minutes=1 + 40 * (n // 3)) for n in range(60)]
    return [trade(number, moment) for number, moment in enumerate([*begin, *rest])]


def publish(loopback, rows: list[dict]) -> None:
    """Put the first day into the archive, and both into the table that REST answers from."""
    day = [row for row in rows if row["timestamp"].startswith("2019-05-03")]
    lines = [",".join(COLUMNS)]
    for row in day:
        stamp = row["timestamp"].replace("T", "D").replace("Z", "000000")
        lines.append(",".join([stamp, *(str(row[name]) for name in COLUMNS[1:])]))
    body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    loopback.put("/data/trade/20190503.csv.gz", body)

    def page(query):
        found = [row for row in rows if row["timestamp"] >= query.get("startTime", "")]
        start = int(query.get("start", 0))
        return json.dumps(found[start : start + int(query.get("count", 100))]).encode()

    loopback.answer("/api/v1/trade", page)
    known = [{"symbol": "XBTUSD", "typ": "FFWCSX", "state": "Open"}]
    loopback.answer("/api/v1/instrument", lambda _: json.dumps(known).encode())


@pytest.mark.parametrize(
    ("last", "joined"), [(timedelta(seconds=20), "overlap"), (timedelta(minutes=5), "")]
)
def test_days_of_two_doors_are_joined_by_a_trade_of_both(loopback, tmp_path, last, joined):
    rows = tape(last)
    publish(loopback, rows)
    file = tmp_path / "p.toml"
    file.write_text(TEXT.format(root=tmp_path, url=loopback.url))
    report = run(load(file, NOW), now=NOW)
    assert report.ok
    with closing(Ledger(f"{tmp_path}/werks.db", "pipeline")) as ledger:
        windows = {each.day: each for each in ledger.windows()}
    one, two = (windows[date(2019, 5, day)] for day in (3, 4))
    assert [(each.door, each.rows) for each in (one, two)] == [("archive", 31), ("rest", 60)]
    assert (one.joined, two.joined) == ("", joined)
    trades = read(tmp_path / "data" / "trades" / "bitmex" / "XBTUSD")
    assert trades["trade_id"].to_pylist() == [row["trdMatchID"] for row in rows]
