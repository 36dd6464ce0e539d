"""A simulated websocket of Bitfinex, version 2: what it says of rows of each kind."""

import itertools
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pyarrow as pa

from werks.schema import kind, nanoseconds
from werks.testing import Venue
from werks.testing.tape import by_name

MS = 10**6
SEQ_ALL, TIMESTAMP = 65536, 32768
_SNAPSHOT = {"TRADE": 30, "CANDLE": 100, "QUOTE": 1, "OPEN_INTEREST": 1, "FUNDING": 1}
_HOURS = 8 * 3600 * 10**9
_channels = itertools.count(17_082, 131)


@attrs.define
class Words:
    """One connection; `werks.testing.LoopbackSocket(Words)` serves it.

    Channels have other numbers on each connection. The trades of one call are all told as `te`
    before they are told as `tu`.
    """

    venue: Venue
    _flags: int = attrs.field(default=0, init=False)
    _number: int = attrs.field(default=0, init=False)
    _time: int = attrs.field(default=1_564_617_600_784, init=False)
    _on: dict[tuple[str, str], int] = attrs.field(factory=dict, init=False)

    def opened(self, path: str) -> str:
        """Return what each connection begins with."""
        said = {"event": "info", "version": 2, "serverId": "00000000-0000-4000-8000-000000000000"}
        return json.dumps(said | {"platform": {"status": 1}})

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a text; to what is no JSON there is none."""
        try:
            asked = json.loads(text)
        except json.JSONDecodeError:
            return
        match asked.get("event"):
            case "ping":
                yield json.dumps({"event": "pong", "ts": self._time, "cid": asked.get("cid")})
            case "conf":
                self._flags = asked["flags"]
                yield json.dumps({"event": "conf", "status": "OK", "flags": self._flags})
            case "subscribe":
                yield from self._subscribed(asked)
            case other:
                yield _error(10000, f"event: invalid ({other})", {})

    def _subscribed(self, asked: dict[str, Any]) -> Iterator[str]:
        name = asked.get("key") or asked["symbol"]
        symbol, what = name[name.rfind(":t") + 1 :] if ":t" in name else name, _what(asked)
        named = {k: v for k, v in asked.items() if k != "event"}
        if symbol in self.venue.refused:
            if what not in ("OPEN_INTEREST", "LIQUIDATION"):  # of a status there is no word
                yield _error(10300, "symbol: invalid", named)
            return
        if (what, symbol) in self._on:
            yield _error(10301, "subscribe: dup", named | {"chanId": self._on[what, symbol]})
            return
        self._on[what, symbol] = next(_channels)
        answer = {"event": "subscribed", "chanId": self._on[what, symbol]} | named
        yield json.dumps(answer)
        past = self.venue.past(symbol, _SNAPSHOT.get(what, 0), what)
        if past is not None:
            rows = [_row(each) for each in by_name(past)][::-1]
            payload = f"[{','.join(rows)}]" if what in ("TRADE", "CANDLE") else rows[0]
            yield self._frame(self._on[what, symbol], payload)

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield messages of rows: trades twice, all others one by one."""
        what, symbol = kind(rows.schema), str(rows["symbol"][0])
        self._time = int(nanoseconds(rows["timestamp"])[-1]) // MS
        status = "OPEN_INTEREST" if what == "FUNDING" else what
        channel = self._on.get((status, "liq:global" if what == "LIQUIDATION" else symbol))
        if channel is None:
            return
        said = [(_row(each), each["timestamp"] // MS) for each in by_name(rows)]
        for word in (['"te"'], ['"tu"']) if what == "TRADE" else ([],):
            for each, self._time in said:
                yield self._frame(channel, *word, each)

    def heartbeat(self) -> Iterator[str]:
        """Yield a heartbeat of each channel, all at one moment."""
        for channel in self._on.values():
            yield self._frame(channel, '"hb"')

    def maintenance(self) -> str:
        """Return what is said when maintenance begins; the connection stays."""
        return json.dumps({"event": "info", "code": 20060, "msg": "Entering in Maintenance mode"})

    def _frame(self, channel: int, *parts: str) -> str:
        self._number += 1
        more = [str(self._number)] * bool(self._flags & SEQ_ALL)
        more += [str(self._time)] * bool(self._flags & TIMESTAMP)
        return f"[{','.join((str(channel), *parts, *more))}]"


def _what(asked: dict[str, Any]) -> str:
    if asked["channel"] == "status":
        return "LIQUIDATION" if asked["key"] == "liq:global" else "OPEN_INTEREST"
    return {"trades": "TRADE", "ticker": "QUOTE", "candles": "CANDLE"}[asked["channel"]]


def _row(row: dict[str, Any]) -> str:
    """Return a row as the exchange writes it, whatever its kind is."""
    time, null = row["timestamp"] // MS, None
    if "trade_id" in row:
        return _array([int(row["trade_id"]), time, row["size"] * row["tick_rule"], row["price"]])
    if "bid" in row:
        return _array([row["bid"], 12, row["ask"], Decimal("0.5"), 1, 2, 3, 4, 5, 6])
    if "volume" in row:
        return _array([time, *(row[n] for n in ("open", "close", "high", "low", "volume"))])
    if "tick_rule" in row:
        position = ["pos", 7, time, null, row["symbol"], -row["size"] * row["tick_rule"], 1, null]
        return f"[{_array([*position, 0, 1, null, row['price']])}]"
    status: list[Any] = [null] * 23
    status[0], status[14] = time, Decimal("67000.5")
    status[7] = (row["timestamp"] // _HOURS + 1) * _HOURS // MS
    status[11], status[17] = row.get("rate", Decimal(0)), row.get("open_interest", Decimal(1))
    return _array(status)


def _array(values: Sequence[Any]) -> str:
    """Return JSON whose numbers have no zeros at their end, as those of JavaScript."""
    texts = [
        f"{value.normalize():f}" if isinstance(value, Decimal) else json.dumps(value)
        for value in values
    ]
    return f"[{','.join(texts)}]"


def _error(code: int, message: str, named: dict[str, Any]) -> str:
    return json.dumps({"event": "error", "msg": message, "code": code} | named)
