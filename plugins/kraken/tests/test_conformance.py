import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from werks.components import File
from werks.http import Http
from werks.testing import (
    ArchiveTests,
    CandleTests,
    HistoryTests,
    Listed,
    Loopback,
    Published,
    SnapshotTests,
    Tape,
    Totals,
)
from werks.testing.shelf import Shelf
from werks.testing.tape import Replay
from werks_kraken import Candles, History, Instruments, Trades

_START, _STOP = date(2023, 10, 1), date(2024, 4, 1)
_ONE_PAGE = "the exchange gives its 720 candles at once"


class TestTrades(HistoryTests):
    stranger = "NOSUCH/USD"

    def door(self, url: str) -> Any:
        return Trades(rest_url=url)

    @pytest.fixture
    def published(self, exchange: Any) -> Tape:
        tape: Tape = exchange.tape()
        return tape


class TestCandles(CandleTests):
    stranger = "NOSUCH/USD"

    def door(self, url: str) -> Any:
        return Candles(rest_url=f"{url}/")

    @pytest.fixture
    def published(self, exchange: Any) -> Tape:
        tape: Tape = exchange.candle_tape()
        return tape

    @pytest.mark.xfail(reason=_ONE_PAGE)
    def test_the_tape_takes_several_pages(self, replay: Replay, client: Http) -> None:
        super().test_the_tape_takes_several_pages(replay, client)


class TestInstruments(SnapshotTests):
    def door(self, url: str) -> Any:
        return Instruments(rest_url=url)

    def publish(self, loopback: Loopback) -> Listed:
        shared = {"lot_decimals": 8, "fees": [[0, 0.4], [10000, 0.35]], "leverage_buy": [2, 3]}
        pairs = {
            "XXBTZUSD": {
                "altname": "XBTUSD",
                "wsname": "XBT/USD",
                "base": "XXBT",
                "quote": "ZUSD",
                "pair_decimals": 1,
                "tick_size": "0.1",
                "status": "online",
                "ordermin": "0.00005",
                "costmin": "0.5",
                **shared,
            },
            "XDGUSD": {
                "altname": "XDGUSD",
                "wsname": "XDG/USD",
                "base": "XXDG",
                "quote": "ZUSD",
                "pair_decimals": 7,
                "status": "cancel_only",
                "ordermin": "13",
                **shared,
            },
            "XXBTZUSD.d": {"altname": "XBTUSD.d", "pair_decimals": 5, **shared},
        }
        body = json.dumps({"error": [], "result": pairs}).encode()
        loopback.answer("0/public/AssetPairs", lambda _: body)
        bitcoin: dict[str, Any] = {"base": "BTC", "quote": "USD", "settle": "USD", "kind": "spot"}
        bitcoin |= {"tick_size": "0.1", "lot_size": "0.00000001", "min_size": "0.00005"}
        bitcoin |= {"min_notional": "0.5", "status": "trading", "expiry": None}
        doge: dict[str, Any] = {
            "base": "DOGE",
            "tick_size": "0.0000001",
            "min_size": "13",
            "min_notional": None,
        }
        doge |= {"status": "cancel_only", "inverse": False, "contract_value": "1"}
        return Listed({"BTC/USD": bitcoin, "DOGE/USD": doge}, ["0/public/AssetPairs"])


class _Zips(Shelf):
    """A shelf whose zips hold a file for each pair."""

    def lines(self, file: File) -> list[str]:
        with zipfile.ZipFile(io.BytesIO(self.body(file))) as archive:
            return archive.read(_member(file)).decode().splitlines()

    def rewrite(self, file: File, lines: Sequence[str]) -> File:
        return self.publish(file, _zipped({_member(file): lines}))


class TestHistory(ArchiveTests):
    header = False

    def door(self, url: str) -> Any:
        return History(archive_url=url)

    @pytest.fixture
    def shelf(self, component: Any, loopback: Loopback, http: Any) -> Shelf:
        return _Zips(component, self.publish(loopback), loopback, http, int(self.header))

    def publish(self, loopback: Loopback) -> Published:
        totals: dict[str, list[tuple[Decimal, Decimal]]] = {"BTC/USD": [], "SOL/EUR": []}
        for name, days in _quarters().items():
            files = {}
            for symbol, member in (("BTC/USD", "XBTUSD"), ("SOL/EUR", "SOLEUR")):
                rows = [(_time(day, n), *_amounts(symbol, n)) for day in days for n in range(9)]
                files[f"TimeAndSales/{member}.csv"] = [f"{t},{p},{s}" for t, p, s in rows]
                if _START <= days[0] < _STOP:
                    totals[symbol] += [(price, size) for _, price, size in rows]
            loopback.put(name, _zipped(files))
        sums = {
            symbol: Totals(len(rows), sum(s for _, s in rows), sum(p * s for p, s in rows))
            for symbol, rows in totals.items()
        }
        return Published(_START, _STOP, sums)


def _quarters() -> dict[str, list[date]]:
    days = {"Q3_2023": date(2023, 9, 30), "Q4_2023": date(2023, 10, 1), "Q1_2024": date(2024, 2, 1)}
    days |= {"Q2_2024": date(2024, 4, 1)}
    return {
        f"Kraken_Trading_History_{name}.zip": [day, day.replace(day=28 + (day.day == 30) * 2)]
        for name, day in days.items()
    }


def _time(day: date, n: int) -> int:
    return int(datetime(day.year, day.month, day.day, 12, 0, n // 3, tzinfo=UTC).timestamp())


def _amounts(symbol: str, n: int) -> tuple[Decimal, Decimal]:
    price = Decimal(42_000 if symbol == "BTC/USD" else 90) + Decimal(n) / 10
    return price, Decimal("0.00000123") * (n + 1)


def _member(file: File) -> str:
    return f"TimeAndSales/{file.url.partition('#')[2]}"


def _zipped(files: Mapping[str, Sequence[str]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in files.items():
            archive.writestr(name, "".join(f"{line}\n" for line in lines))
    return packed.getvalue()
