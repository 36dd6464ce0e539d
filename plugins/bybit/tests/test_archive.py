"""The rules of an archive, kept for each of Bybit's markets on small files in its own layout."""

import gzip
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from werks.testing import ArchiveTests, Loopback, Published, Totals
from werks_bybit import Trades

START, STOP = date(2024, 1, 1), date(2024, 1, 3)
DERIVATIVES = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional"
)


def _put(loopback: Loopback, path: str, header: str, rows: Iterable[str]) -> None:
    text = "".join(f"{row}\n" for row in (header, *rows))
    loopback.put(path, gzip.compress(text.encode()))


def _day(loopback: Loopback, symbol: str, day: date, trades: Iterable[str]) -> None:
    """Publish a day of `seconds,side,size,price` in the columns of the derivatives' files."""
    rows = []
    for n, trade in enumerate(trades, 1):
        time, side, size, price = trade.split(",")
        match = f"00000000-0000-5000-8000-{day:%Y%m%d}{n:04}"
        # The last three are float text on the wire, and of no use.
        rows.append(
            f"{time},{symbol},{side},{size},{price},ZeroMinusTick,{match},4.50554e+08,0.1,0.09999"
        )
    _put(loopback, f"trading/{symbol}/{symbol}{day}.csv.gz", DERIVATIVES, rows)


class TestLinear(ArchiveTests):
    def door(self, url):
        return Trades(market="linear", archive_url=url)

    def publish(self, loopback):
        before, second, after = date(2023, 12, 31), date(2024, 1, 2), date(2024, 1, 3)
        _day(loopback, "BTCUSDT", before, ["1704067199.9999,Buy,9,42000"])
        _day(
            loopback,
            "BTCUSDT",
            START,
            [
                "1704067200,Buy,0.001,42000.5",
                "1704067200.25,Sell,0.5,42000",
                "1704067200.25,Sell,1,1",
            ],
        )
        _day(loopback, "BTCUSDT", second, ["1704153600.0001,Sell,2,42100.1"])
        _day(loopback, "BTCUSDT", after, ["1704240000,Buy,9,42000"])
        # Dashes and digits in a symbol do not confuse the date.
        _day(
            loopback,
            "BTC-29MAR24",
            START,
            ["1704067201.5,Buy,0.01,43000", "1704067202,Sell,3,43001"],
        )
        _day(loopback, "BTC-29MAR24", second, ["1704239999.9999,Buy,0.001,43002.5"])
        return Published(
            START,
            STOP,
            {
                "BTCUSDT": Totals(4, "3.501", "105243.2005"),
                "BTC-29MAR24": Totals(3, "3.011", "129476.0025"),
            },
        )


class TestInverse(ArchiveTests):
    rounding = Decimal("1e-8")

    def door(self, url):
        return Trades(market="inverse", archive_url=f"{url}/")

    def publish(self, loopback):
        # Newest first, as they were up to 2021; 7/42000 = 0.000166666… is cut, not rounded.
        trades = ["1704067202.123456,Buy,1000,40000.0", "1704067201.5,Sell,7,42000.0"]
        _day(loopback, "BTCUSD", START, trades)
        _day(loopback, "BTCUSD", date(2024, 1, 2), ["1704153600.000001,Buy,1,40000.5"])
        _day(loopback, "ETHUSD", START, ["1704067200.1,Sell,20000000,0.0001"])
        return Published(
            START,
            STOP,
            {
                "BTCUSD": Totals(3, "0.02519165", "1008"),
                "ETHUSD": Totals(1, "200000000000", "20000000"),
            },
        )


class TestSpot(ArchiveTests):
    def door(self, url):
        return Trades(market="spot", archive_url=url)

    def publish(self, loopback):
        header = "id,timestamp,price,volume,side"
        for symbol in ("BTCUSDT", "PEPEUSDT"):
            folder = f"spot/{symbol}/{symbol}"
            rows = ["1,1704067200000,0.00000125,1000000,buy", "2,1704067200000,0.00000125,1,sell"]
            _put(loopback, f"{folder}_2024-01-01.csv.gz", header, rows)
            rows = ["1,1704153600001,0.5,2,buy,0", "2,1704239999999,0.5,2,buy,1"]
            _put(loopback, f"{folder}_2024-01-02.csv.gz", f"{header},rpi", rows)
            _put(loopback, f"{folder}_2024-01-03.csv.gz", header, ["1,1704240000000,1,1,buy"])
        both = Totals(4, "1000005", "3.25000125")
        return Published(START, STOP, {"BTCUSDT": both, "PEPEUSDT": both})


class TestSpotByMonth(ArchiveTests):
    """Older spot trades lie in files of a month."""

    def door(self, url):
        return Trades(market="spot", archive_url=url)

    def publish(self, loopback):
        rows = ["1,1669852800000,17000.5,0.1,buy", "2,1672531199999,16500,2,sell"]
        header = "id,timestamp,price,volume,side"
        _put(loopback, "spot/BTCUSDT/BTCUSDT-2022-12.csv.gz", header, rows)
        _put(loopback, "spot/BTCUSDT/BTCUSDT-2023-01.csv.gz", header, ["1,1672531200000,1,1,buy"])
        totals = {"BTCUSDT": Totals(2, "2.1", "34700.05")}
        return Published(date(2022, 12, 1), date(2023, 1, 1), totals)
