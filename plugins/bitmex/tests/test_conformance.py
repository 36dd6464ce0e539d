import gzip
from datetime import date
from decimal import Decimal
from typing import Any

from werks.testing import ArchiveTests, Loopback, Published, Totals
from werks_bitmex import Trades

_HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional,trdType"
)
_START, _STOP = date(2018, 12, 31), date(2019, 1, 4)
# 2019-01-02 was never published; the last two lie outside the days asked for.
_DAYS = (_START, date(2019, 1, 1), date(2019, 1, 3), date(2018, 12, 30), _STOP)
_SATOSHI = Decimal("0.00000001")
Trade = tuple[Any, ...]


class TestTrades(ArchiveTests):
    # An inverse trade's base amount is rounded for each lot of 100, of which there are up to 20.
    rounding = 20 * _SATOSHI

    def door(self, url: str) -> Trades:
        return Trades(archive_url=url, listing_url=url)

    def publish(self, loopback: Loopback) -> Published:
        for day in _DAYS:
            lines = [_HEADER]
            for symbol, trade in (("XBTUSD", _inverse), ("XRPH19", _linear), ("ETHUSD", _quanto)):
                lines += [_line(day, symbol, n, trade(n)) for n in range(20)]
            text = "".join(f"{line}\n" for line in [*lines, _index(day)])
            loopback.put(f"data/trade/{day:%Y%m%d}.csv.gz", gzip.compress(text.encode()))
        inside = [day for day in _DAYS if _START <= day < _STOP]
        totals = {}
        for symbol, trade in (("XBTUSD", _inverse), ("XRPH19", _linear), ("ETHUSD", _quanto)):
            cells = [trade(n) for n in range(20)]
            size, notional = (
                sum((Decimal(c[k]).quantize(_SATOSHI) for c in cells), Decimal(0)) * len(inside)
                for k in (3, 4)
            )
            totals[symbol] = Totals(20 * len(inside), size, notional)
        return Published(_START, _STOP, totals, inside)


def _line(day: date, symbol: str, n: int, trade: Trade) -> str:
    size, price, gross, home, foreign = trade
    guid = f"{day:%Y%m%d}-0000-4000-8000-{symbol.encode().hex():0>10}{n:02}"
    side = "Buy" if n % 3 else "Sell"
    market = f"{symbol},{side},{size},{price},PlusTick,{guid}"
    return f"{day}D{n:02}:59:59.999999999,{market},{gross},{home},{foreign},Regular"


def _index(day: date) -> str:
    return f"{day}D12:00:00.000000000,.BXBT,Buy,0,3800.5,PlusTick,,0,0,0,Referential"


def _inverse(n: int) -> Trade:
    size, price = 100 * (n + 1), 3800 + n / 2
    gross = round(100 * 10**8 / price) * (n + 1)
    return size, price, gross, Decimal(gross) * _SATOSHI, size


def _linear(n: int) -> Trade:
    size, price = 7 * (n + 1), Decimal(9000 + n) * _SATOSHI
    return size, price, int(size * price / _SATOSHI), size, f"{float(size * price)!r}"


def _quanto(n: int) -> Trade:
    size, price = 13 * (n + 1), Decimal(2600 + n) / 20
    gross = int(size * price * 100)
    foreign = gross / 26316
    return size, price, gross, repr(foreign / float(price)), repr(foreign)
