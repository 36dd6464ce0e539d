import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from werks.testing import ArchiveTests, Loopback, Published, Totals
from werks_binance import AggTrades, Trades

_START, _STOP = date(2024, 12, 30), date(2025, 1, 3)
# The last two lie outside the days asked for; 2025-01-02 was never published.
_DAYS = (*map(date, (2024, 2024, 2025), (12, 12, 1), (30, 31, 1)), date(2024, 12, 29), _STOP)
_MICROSECONDS_SINCE = date(2025, 1, 1)


class _Market:
    """A few trades a day in the layout of one market and kind of file."""

    def __init__(self, folder: str, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.spot = folder == "spot"

    def publish(self, loopback: Loopback) -> Published:
        totals: dict[str, Totals] = {}
        for number, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
            rows, size, notional = 0, Decimal(0), Decimal(0)
            for day in _DAYS:
                trades = [(_trade(number, n), _time(day, n)) for n in range(20)]
                lines = [self._line(*trade, time) for trade, time in trades]
                stem = f"{symbol}-{self.kind}-{day}"
                path = f"data/{self.folder}/daily/{self.kind}/{symbol}/{stem}.zip"
                _put(loopback, path, "".join(f"{line}\n" for line in [*self._header(), *lines]))
                if _START <= day < _STOP:
                    rows += len(trades)
                    size += sum(s for (_, _, s), _ in trades)
                    notional += sum(p * s for (_, p, s), _ in trades)
            totals[symbol] = Totals(rows, size, notional)
        return Published(_START, _STOP, totals, [day for day in _DAYS if _START <= day < _STOP])

    def _header(self) -> Iterator[str]:
        if not self.spot:
            yield (
                "id,price,qty,quote_qty,time,is_buyer_maker"
                if self.kind == "trades"
                else "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
                "is_buyer_maker"
            )

    def _line(self, number: int, price: Decimal, size: Decimal, time: datetime) -> str:
        micro = self.spot and time.date() >= _MICROSECONDS_SINCE
        stamp = round(time.timestamp() * 1000) * (1000 if micro else 1)
        ids = f"{number},{number + 2}" if self.kind == "aggTrades" else f"{price * size:.8f}"
        sides = "True,True" if self.spot else "false"
        return f"{number},{price},{size},{ids},{stamp},{sides}"


def _trade(number: int, n: int) -> tuple[int, Decimal, Decimal]:
    price = Decimal(42000 - 39000 * number) + Decimal(n) / 100
    return 1_000_000 + n, price, Decimal("0.00000123") * (n + 1)


def _time(day: date, n: int) -> datetime:
    return datetime(day.year, day.month, day.day, n, 59, 59, 999_000, UTC)


def _put(loopback: Loopback, path: str, text: str) -> None:
    name, packed = path.rsplit("/", 1)[-1], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name.replace(".zip", ".csv"), text)
    body = packed.getvalue()
    loopback.put(path, body)
    loopback.put(f"{path}.CHECKSUM", f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode())


class _Tests(ArchiveTests):
    market: Any
    component_class: type
    layout: _Market

    def door(self, url: str) -> Any:
        return self.component_class(market=self.market, archive_url=url, listing_url=url)

    def publish(self, loopback: Loopback) -> Published:
        return self.layout.publish(loopback)


class TestSpotTrades(_Tests):
    header = False
    market, component_class, layout = "spot", Trades, _Market("spot", "trades")


class TestUsdmTrades(_Tests):
    market, component_class, layout = "usdm", Trades, _Market("futures/um", "trades")


@pytest.mark.long
class TestSpotAggTrades(_Tests):
    header = False
    market, component_class, layout = "spot", AggTrades, _Market("spot", "aggTrades")


@pytest.mark.long
class TestUsdmAggTrades(_Tests):
    market, component_class, layout = "usdm", AggTrades, _Market("futures/um", "aggTrades")
