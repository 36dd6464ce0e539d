"""BitMEX's inverse contracts in the course of their time: a file a day for all, and REST."""

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
from werks_bitmex import TradesRest

SCHEMA = TradesRest.schema
_COLUMNS = (
    *("timestamp", "symbol", "side", "size", "price", "tickDirection", "trdMatchID"),
    *("grossValue", "homeNotional", "foreignNotional", "trdType"),
)
_DAY, _MS = timedelta(days=1), 10**6
_LONG = 86_400 * 10**9
_LOT, _TICK, _SATOSHIS = 100, 50, 10**8
Query = Mapping[str, str]


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
        for number in range((today - start).days):
            day = start + number * _DAY
            path = f"/data/trade/{day:%Y%m%d}.csv.gz"
            if path not in self._published:
                self._published.add(path)
                yield path, self._file(day)

    def _file(self, day: date) -> bytes:
        midnight = (day - date(1970, 1, 1)).days * _LONG
        lines = [",".join(_COLUMNS) + "\n"]
        for symbol in sorted(self._rows):
            for row in _spelt(self._between(symbol, midnight, midnight + _LONG)):
                time = row["timestamp"].replace("T", "D").replace("Z", "000000")
                cells = {**row, "timestamp": time}
                lines.append(",".join(str(cells[name]) for name in _COLUMNS) + "\n")
        return gzip.compress("".join(lines).encode(), 1, mtime=0)

    def answers(self) -> Mapping[str, Callable[[Query], bytes]]:
        """Return what REST answers: the table of trades, from a time on, and the instruments."""
        return {
            "/api/v1/trade": self._table,
            "/api/v1/instrument": partial(_instrument, set(self._rows)),
        }

    def _table(self, query: Query) -> bytes:
        moment = datetime.fromisoformat(query["startTime"])
        since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
        rows = self._between(query["symbol"], since, max(since, self.now))
        page = _spelt(rows.slice(int(query["start"]), int(query["count"])))
        return json.dumps(page).encode()


def _instrument(known: set[str], query: Query) -> bytes:
    found = [{"symbol": query["symbol"]}] if query["symbol"] in known else []
    return json.dumps(found).encode()


def _spelt(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return trades as BitMEX spells them: numbers, and times in ms."""
    return [
        {
            "timestamp": _iso(time),
            "symbol": symbol,
            "side": "Buy" if sign > 0 else "Sell",
            "size": int(paid),
            "price": float(price),
            "tickDirection": "ZeroPlusTick",
            "trdMatchID": name,
            "grossValue": int(size * _SATOSHIS),
            "homeNotional": float(size),
            "foreignNotional": int(paid),
            "trdType": "Regular",
        }
        for time, symbol, sign, name, price, size, paid in zip(
            nanoseconds(rows["timestamp"]).tolist(),
            *(
                rows[name].to_pylist()
                for name in ("symbol", "tick_rule", "trade_id", "price", "size", "notional")
            ),
            strict=True,
        )
    ]


def _iso(time: int) -> str:
    moment = datetime.fromtimestamp(time // 10**9, UTC) + timedelta(milliseconds=time // _MS % 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trades(symbol: str, market: pa.RecordBatch) -> pa.RecordBatch:
    """Return a drawn market as the trades that should come out: contracts of one dollar."""
    cents = market["price"].to_numpy() // _TICK * _TICK
    contracts = market["size"].to_numpy() * _LOT
    gross = [
        round(Decimal(int(paid)) * _SATOSHIS * 100 / int(price))
        for paid, price in zip(contracts, cents, strict=True)
    ]
    base = sum(ord(letter) << 8 * place for place, letter in enumerate(symbol[:8])) << 64
    return batch(
        SCHEMA,
        exchange=word("bitmex", len(market)),
        symbol=word(symbol, len(market)),
        timestamp=times(market["time"].to_numpy()),
        trade_id=[str(UUID(int=base + number)) for number in range(len(market))],
        tick_rule=np.where(market["bought"].to_numpy(zero_copy_only=False), 1, -1).astype(np.int8),
        price=amounts.column(amounts.rescaled(cents, 10 - 2), 10),
        size=amounts.column(amounts.from_ints(np.array(gross)), 8),
        notional=amounts.column(amounts.rescaled(contracts, 18), 18),
    )
