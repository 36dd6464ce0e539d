import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from werks.archive import ByteStream
from werks.components import File
from werks.testing import Loopback

START = 1_700_000_040_000  # ms, a whole minute
SYMBOL = "BTCUSDT"
_HOUR = 3_600_000
_STATUS = {-1121: "Invalid symbol.", -1128: "Combination of optional parameters invalid."}


def _made(count: int, first: int) -> list[dict[str, Any]]:
    """Return trades in groups of seven at one ms, of several prices, 90 s apart."""
    return [
        {
            "id": first + n,
            "price": f"{100 + (n // 2) % 5}.01000000",
            "qty": f"0.00{n % 9 + 1}00000",
            "quoteQty": "0.1",
            "time": START + n // 7 * 90_000 + 123,
            "isBuyerMaker": n // 7 % 2 == 0,
        }
        for n in range(count)
    ]


def _joined(trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the aggregates of trades: those of one time, side and price that follow another."""
    found: list[dict[str, Any]] = []
    for trade in trades:
        last = found[-1] if found else {}
        key = {"p": trade["price"], "T": trade["time"], "m": trade["isBuyerMaker"]}
        if key.items() <= last.items():
            last["q"] = str(Decimal(last["q"]) + Decimal(trade["qty"]))
            last["l"] = trade["id"]
        else:
            ids = {"a": 77 + len(found), "f": trade["id"], "l": trade["id"]}
            found.append(ids | key | {"q": trade["qty"]})
    return found


class Simulator:
    """One symbol's past behind REST, with the limits of a market; rows can be changed by a test."""

    def __init__(
        self, loopback: Loopback, market: str, count: int = 301, first: int = 0, page: int = 40
    ) -> None:
        self.url, self.page, self.usdm = loopback.url, page, market == "usdm"
        self.every = _made(count, first)
        self.trades = [t for t in self.every if not self.usdm or t["id"] % 50 != 17]
        self.aggregates = _joined(self.every)
        self.interest: list[dict[str, Any]] = []
        self.funding: list[dict[str, Any]] = []
        self.reach = 48 * _HOUR
        self.used = 0
        folder = "/fapi/v1" if self.usdm else "/api/v3"
        loopback.answer(f"{folder}/historicalTrades", self._answer(self._trades))
        loopback.answer(f"{folder}/aggTrades", self._answer(self._aggregates))
        loopback.answer(f"{folder}/klines", self._answer(self._klines))
        loopback.answer("/futures/data/openInterestHist", self._answer(self._interest))
        loopback.answer("/fapi/v1/fundingRate", self._answer(self._funding))

    def _answer(self, rows: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any]:
        def _answered(query: Any) -> tuple[int, bytes, dict[str, str]]:
            self.used += 1
            asked = {k: int(v) if v.lstrip("-").isdigit() else v for k, v in query.items()}
            found = -1121 if asked["symbol"] != SYMBOL else rows(asked)
            status, body = 200, found
            if isinstance(found, int):
                status, body = 400, {"code": found, "msg": _STATUS[found]}
            headers = {"X-MBX-USED-WEIGHT-1M": str(self.used)}
            return status, json.dumps(body, ensure_ascii=False).encode(), headers

        return _answered

    def _cut(self, rows: list[Any], asked: dict[str, Any]) -> list[Any]:
        size = min(self.page, asked.get("limit", 500))
        return rows[:size] if {"fromId", "startTime"} & set(asked) else rows[-size:]

    def _trades(self, asked: dict[str, Any]) -> list[Any]:
        first = asked.get("fromId", 0)
        return self._cut([row for row in self.trades if row["id"] >= first], asked)

    def _aggregates(self, asked: dict[str, Any]) -> Any:
        begin, end = asked.get("startTime", 0), asked.get("endTime", 2**62)
        if self.usdm and ("fromId" in asked and "startTime" in asked):
            return -1128
        if self.usdm and "endTime" in asked and end - begin >= _HOUR:
            return -1128
        newest = self.aggregates[-1]["T"]
        least = newest - self.reach if self.usdm else 0
        if self.usdm and 0 < begin < 10**12:  # seconds: the newest, as recorded
            return self.aggregates[-self.page :]
        first = asked.get("fromId", 0)
        rows = [r for r in self.aggregates if begin <= r["T"] <= end and r["a"] >= first]
        return self._cut([row for row in rows if row["T"] >= least], asked)

    def minutes(self, width: int = 60_000) -> list[list[Any]]:
        """Return the candles of all trades, those without trades at the last close."""
        found: list[list[Any]] = []
        trades, close = list(self.every), ""
        for begin in range(START // width * width, trades[-1]["time"] + 1, width):
            mine = [t for t in trades if begin <= t["time"] < begin + width]
            prices = [t["price"] for t in mine] or [close]
            sizes = [Decimal(t["qty"]) for t in mine]
            paid = sum(Decimal(t["price"]) * Decimal(t["qty"]) for t in mine)
            edges = [prices[0], max(prices, key=Decimal), min(prices, key=Decimal), prices[-1]]
            amounts = [str(sum(sizes)), begin + width - 1, str(paid), len(mine), "0", "0", "0"]
            found.append([begin, *edges, *amounts])
            close = prices[-1]
        return found

    def _klines(self, asked: dict[str, Any]) -> list[Any]:
        width = {"1m": 60_000, "5m": 300_000, "1h": _HOUR}[asked["interval"]]
        begin, end = asked.get("startTime", 0), asked.get("endTime", 2**62)
        return self._cut([r for r in self.minutes(width) if begin <= r[0] <= end], asked)

    def _interest(self, asked: dict[str, Any]) -> list[Any]:
        begin, end = asked["startTime"], asked["endTime"]
        return self._cut([r for r in self.interest if begin <= r["timestamp"] <= end], asked)

    def _funding(self, asked: dict[str, Any]) -> list[Any]:
        begin, end = asked["startTime"], asked["endTime"]
        return self._cut([r for r in self.funding if begin <= r["fundingTime"] <= end], asked)


def _zipped(stem: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{stem}.csv", text)
    return packed.getvalue()


def _publish(loopback: Loopback, key: str, text: str) -> None:
    name = key.rsplit("/", 1)[-1]
    body = _zipped(name.removesuffix(".zip"), text)
    loopback.put(key, body)
    loopback.put(f"{key}.CHECKSUM", f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode())


@pytest.fixture
def publish() -> Callable[[Loopback, str, str], None]:
    """Return a function that puts a zip and its checksum at a key: (loopback, key, text)."""
    return _publish


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., pa.Table]:
    """Return a function that reads a day file's text: (component, stem of its name, text)."""

    def _read(component: Any, stem: str, text: str) -> pa.Table:
        symbol, _, day = stem.split("-", 2)
        start = date.fromisoformat(f"{day}-01"[:10])
        file = File(f"https://archive/{stem}.zip", start, start + timedelta(days=1), (symbol,))
        path = tmp_path / f"{stem}.zip"
        path.write_bytes(_zipped(stem, text))
        with ByteStream(path, file.url, ahead=False) as stream:
            batches = list(component.read(file, stream, file.symbols))
        return pa.Table.from_batches(batches, component.schema)

    return _read


@pytest.fixture(scope="session")
def xrpeth(captures: Path) -> list[dict[str, Any]]:
    """Return 12,477 aggregates of 2019-10-11 to 2019-10-13 as REST sent them."""
    path = captures / "binance" / "rest-spot-aggtrades-XRPETH-20191011-raw.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def simulator(loopback: Loopback) -> Callable[..., Any]:
    """Return a function that has the loopback server answer as Binance's REST: (market, …)."""

    def _simulator(market: str, **given: Any) -> Simulator:
        return Simulator(loopback, market, **given)

    return _simulator
