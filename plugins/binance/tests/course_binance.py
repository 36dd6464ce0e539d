"""Binance's spot market in the course of its time: zipped days with checksums, and REST by id."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.schema import batch, nanoseconds, times, word
from werks_binance import TradesRest

SCHEMA = TradesRest().schema
FIRST_ID = 3_000_000
_DAY, _MS = timedelta(days=1), 10**6
_LONG = 86_400 * 10**9
Query = Mapping[str, str]
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
        """Yield (path, body) of the files of days that are over and their checksums, none twice."""
        today = datetime.fromtimestamp(self.now // 10**9, UTC).date()
        for symbol in self._rows:
            for number in range((today - start).days):
                day = start + number * _DAY
                name = f"{symbol}-trades-{day}"
                path = f"/data/spot/daily/trades/{symbol}/{name}.zip"
                if path not in self._published:
                    self._published.add(path)
                    body = self._file(symbol, day, name)
                    digest = hashlib.sha256(body).hexdigest()
                    yield path, body
                    yield f"{path}.CHECKSUM", f"{digest}  {name}.zip\n".encode()

    def _file(self, symbol: str, day: date, name: str) -> bytes:
        midnight = (day - date(1970, 1, 1)).days * _LONG
        rows = _spelt(self._between(symbol, midnight, midnight + _LONG))
        lines = [
            f"{row['id']},{row['price']},{row['qty']},{row['quoteQty']},{row['time']},"
            f"{row['isBuyerMaker']},True\n"
            for row in rows
        ]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", "".join(lines))
        return packed.getvalue()

    def answers(self) -> Mapping[str, Callable[[Query], Answer]]:
        """Return what REST answers: trades by id, and the aggregates that tell the id of a time."""
        return {"/api/v3/historicalTrades": self._trades, "/api/v3/aggTrades": self._aggregates}

    def _trades(self, query: Query) -> Answer:
        rows, limit = self._between(query["symbol"], 0, self.now), int(query["limit"])
        begin = max(0, int(query["fromId"]) - FIRST_ID) if "fromId" in query else len(rows) - limit
        return _answer(_spelt(rows.slice(max(0, begin), limit)))

    def _aggregates(self, query: Query) -> Answer:
        """Answer with aggregates of one trade each, by id or from a time (ms) on."""
        start = int(query.get("startTime", 0)) * _MS
        rows, limit = self._between(query["symbol"], start, self.now), int(query["limit"])
        begin = max(0, int(query.get("fromId", 0)) - FIRST_ID)
        told = [
            {
                "a": row["id"],
                "p": row["price"],
                "q": row["qty"],
                "f": row["id"],
                "l": row["id"],
                "T": row["time"],
                "m": row["isBuyerMaker"],
                "M": True,
            }
            for row in _spelt(rows.slice(begin, limit))
        ]
        return _answer(told)


def _answer(said: Any) -> Answer:
    return 200, json.dumps(said).encode(), {"X-MBX-USED-WEIGHT-1M": "1"}


def _spelt(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return trades as REST spells them: eight digits, times in ms."""
    columns = (
        rows["trade_id"].cast(pa.int64()).to_pylist(),
        *(
            rows[name].cast(pa.decimal128(38, 8)).cast(pa.string()).to_pylist()
            for name in ("price", "size", "notional")
        ),
        (nanoseconds(rows["timestamp"]) // _MS).tolist(),
        [sign < 0 for sign in rows["tick_rule"].to_pylist()],
    )
    names = ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _trades(symbol: str, market: pa.RecordBatch) -> pa.RecordBatch:
    """Return a drawn market as the trades that should come out."""
    price, size = market["price"].to_numpy(), market["size"].to_numpy()
    ids = pa.array(FIRST_ID + np.arange(len(market)), pa.int64())
    return batch(
        SCHEMA,
        exchange=word("binance", len(market)),
        symbol=word(symbol, len(market)),
        timestamp=times(market["time"].to_numpy()),
        trade_id=ids.cast(pa.string()),
        tick_rule=np.where(market["bought"].to_numpy(zero_copy_only=False), 1, -1).astype(np.int8),
        price=amounts.column(amounts.rescaled(price, 8 - 2), 8),
        size=amounts.column(amounts.rescaled(size, 8 - 3), 8),
        notional=amounts.column(amounts.rescaled(price * size, 16 - 5), 16),
    )
