"""Bybit's linear market in the course of its time: folders of day files, and the latest by REST."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import attrs
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.schema import batch, nanoseconds, times, word
from werks_bybit import TradesRest

SCHEMA = TradesRest.schema
_HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional\n"
)
_DAY, _MS = timedelta(days=1), 10**6
_LONG = 86_400 * 10**9
_MOST = 1000
Answer = tuple[int, bytes, Mapping[str, str]]


@attrs.define
class Course:
    """All doors of one tape, up to `now` (ns since 1970); `drawn` are its markets by symbol."""

    drawn: Mapping[str, pa.RecordBatch]
    now: int
    _rows: dict[str, pa.RecordBatch] = attrs.field(factory=dict, init=False)
    _published: set[str] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = {symbol: _trades(symbol, market) for symbol, market in self.drawn.items()}

    def advance(self, until: int) -> Iterator[pa.RecordBatch]:
        """Go on to a time and yield the trades since `now`, a batch of each market."""
        since, self.now = self.now, max(self.now, until)
        for symbol in self._rows:
            rows = self._between(symbol, since, self.now)
            if len(rows):
                yield rows

    def trades(self, symbol: str, start: int, stop: int) -> pa.Table:
        """Return all trades from a time to before another."""
        return pa.Table.from_batches([self._between(symbol, start, stop)])

    def _between(self, symbol: str, start: int, stop: int) -> pa.RecordBatch:
        rows = self._rows[symbol]
        begin, end = np.searchsorted(nanoseconds(rows["timestamp"]), [start, stop]).tolist()
        return rows.slice(begin, end - begin)

    def published(self, start: date) -> Iterator[tuple[str, bytes]]:
        """Yield (path, body) of the files of days that are over, none twice."""
        today = datetime.fromtimestamp(self.now // 10**9, UTC).date()
        for symbol in self._rows:
            for number in range((today - start).days):
                day = start + number * _DAY
                path = f"/trading/{symbol}/{symbol}{day}.csv.gz"
                if path not in self._published:
                    self._published.add(path)
                    yield path, self._file(symbol, day)

    def _file(self, symbol: str, day: date) -> bytes:
        midnight = (day - date(1970, 1, 1)).days * _LONG
        lines = [
            f"{Decimal(time).scaleb(-9).normalize():f},{symbol},{side},{size},{price},PlusTick,"
            f"{name},0,0,0\n"
            for time, side, size, price, name in _spelt(
                self._between(symbol, midnight, midnight + _LONG)
            )
        ]
        return gzip.compress((_HEADER + "".join(lines)).encode(), 1, mtime=0)

    def answers(self) -> Mapping[str, Callable[[Mapping[str, str]], Answer]]:
        """Return what REST answers: the latest trades, newest first."""
        return {"/v5/market/recent-trade": partial(self._recent)}

    def _recent(self, query: Mapping[str, str]) -> Answer:
        rows = self._between(query["symbol"], 0, self.now)
        latest = rows.slice(max(0, len(rows) - min(_MOST, int(query["limit"]))))
        told: list[dict[str, Any]] = [
            {
                "execId": name,
                "symbol": query["symbol"],
                "price": price,
                "size": size,
                "side": side,
                "time": str(time // _MS),
                "isBlockTrade": False,
                "isRPITrade": False,
            }
            for time, side, size, price, name in _spelt(latest)
        ]
        said = {
            "retCode": 0,
            "retMsg": "OK",
            "result": {"category": query["category"], "list": told[::-1]},
            "retExtInfo": {},
            "time": self.now // _MS,
        }
        return 200, json.dumps(said).encode(), {}


def _spelt(rows: pa.RecordBatch) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield time, side, size, price and id as Bybit spells them."""
    yield from zip(
        nanoseconds(rows["timestamp"]).tolist(),
        ["Buy" if sign > 0 else "Sell" for sign in rows["tick_rule"].to_pylist()],
        rows["size"].cast(pa.decimal128(38, 3)).cast(pa.string()).to_pylist(),
        rows["price"].cast(pa.decimal128(38, 2)).cast(pa.string()).to_pylist(),
        rows["trade_id"].to_pylist(),
        strict=True,
    )


def _trades(symbol: str, market: pa.RecordBatch) -> pa.RecordBatch:
    """Return a drawn market as the trades that should come out."""
    price, size = market["price"].to_numpy(), market["size"].to_numpy()
    base = sum(ord(letter) << 8 * place for place, letter in enumerate(symbol[:8])) << 64
    return batch(
        SCHEMA,
        exchange=word("bybit-linear", len(market)),
        symbol=word(symbol, len(market)),
        timestamp=times(market["time"].to_numpy()),
        trade_id=[str(UUID(int=base + number)) for number in range(len(market))],
        tick_rule=np.where(market["bought"].to_numpy(zero_copy_only=False), 1, -1).astype(np.int8),
        price=amounts.column(amounts.rescaled(price, 10 - 2), 10),
        size=amounts.column(amounts.rescaled(size, 10 - 3), 10),
        notional=amounts.column(amounts.rescaled(price * size, 20 - 5), 20),
    )
