"""BitMEX's side of a websocket connection: inverse contracts, and linear ones ending in USDT."""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

import attrs
import pyarrow as pa

from werks.schema import kind
from werks.testing import Venue
from werks.testing.tape import by_name

_TABLES = {"TRADE": "trade", "QUOTE": "quote", "LIQUIDATION": "liquidation"}
_KNOWN = ("trade", "quote", "liquidation", "funding", "instrument", "tradeBin1m", "orderBookL2")
_COLUMNS = {
    "trade": ("timestamp", "symbol", "side", "size", "price"),
    "quote": ("timestamp", "symbol", "bidSize", "bidPrice", "askPrice", "askSize"),
    "liquidation": ("orderID", "symbol", "side", "price", "leavesQty"),
}
# One linear contract is a millionth of the base.
_POSITION = 10**6
_PAST = 3


@attrs.define
class Words:
    """What is said on one connection. After its ack comes the partial of a table, with old rows."""

    venue: Venue
    _args: set[str] = attrs.field(factory=set, init=False)
    _orders: int = attrs.field(default=0, init=False)
    _time: int = attrs.field(default=0, init=False)

    def opened(self, path: str) -> str:
        """Return the welcome."""
        said = {"info": "Welcome to the BitMEX Realtime API.", "version": "2.0.0"}
        docs = "https://www.bitmex.com/app/wsAPI"
        more = {"docs": docs, "heartbeatEnabled": False, "limit": {"remaining": 719}}
        return json.dumps({**said, "timestamp": "2025-09-30T12:48:45.419Z", **more})

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a text: an ack for each table, then its partial."""
        if text == "ping":
            yield "pong"
            return
        try:
            asked = json.loads(text)
        except ValueError:
            yield json.dumps({"status": 400, "error": "Invalid JSON", "meta": {}, "request": text})
            return
        op = asked.get("op")
        args = asked.get("args", [])
        for arg in [args] if isinstance(args, str) else args:
            table, _, symbol = arg.partition(":")
            if op not in ("subscribe", "unsubscribe") or table not in _KNOWN:
                why = f"Unknown table: {table}"
                yield json.dumps({"status": 400, "error": why, "meta": {}, "request": asked})
                continue
            yield json.dumps({"success": True, op: arg, "request": asked})
            if op == "unsubscribe":
                self._args.discard(arg)
            else:
                yield self._partial(table, symbol)
                if symbol not in self.venue.refused:
                    self._args.add(arg)

    def _partial(self, table: str, symbol: str) -> str:
        """Return the rows that a table has by now, of an unknown symbol none."""
        rows: list[dict[str, Any]] = []
        what = {name: word for word, name in _TABLES.items()}.get(table, "")
        past = self.venue.past(symbol, _PAST, what) if what else None
        if symbol not in self.venue.refused:
            if table == "instrument":
                rows = [_instrument(symbol)]
            elif past is not None:
                rows = self._rows(past)
        names = _COLUMNS.get(table, ("symbol",))
        types = dict.fromkeys(names, "symbol")
        said = {"table": table, "action": "partial", "keys": [], "types": types}
        return json.dumps({**said, "filter": {"symbol": symbol}, "data": rows})

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield a message for the rows of each moment, if their table is subscribed to."""
        table = _TABLES[kind(rows.schema)]
        if f"{table}:{rows['symbol'][0]}" not in self._args:
            return
        made = self._rows(rows)
        for _, together in groupby(made, lambda row: row.get("timestamp", row.get("orderID"))):
            yield json.dumps({"table": table, "action": "insert", "data": list(together)})

    def heartbeat(self) -> None:
        """Say nothing: the client pings."""

    def maintenance(self) -> None:
        """Say nothing: BitMEX goes without a word."""

    def _rows(self, rows: pa.RecordBatch) -> list[dict[str, Any]]:
        tell = getattr(self, f"_{_TABLES[kind(rows.schema)]}")
        return [tell(row) for row in by_name(rows)]

    def _trade(self, row: dict[str, Any]) -> dict[str, Any]:
        home, foreign = row["size"], row["notional"]
        linear = row["symbol"].endswith("USDT")
        told = {
            "timestamp": _iso(row["timestamp"]),
            "symbol": row["symbol"],
            "side": "Buy" if row["tick_rule"] > 0 else "Sell",
            "size": int(home * _POSITION if linear else foreign),
            "price": _number(row["price"]),
            "tickDirection": "ZeroPlusTick",
            "trdMatchID": row["trade_id"],
            "grossValue": int(foreign * 10**6 if linear else home * 10**8),
            "homeNotional": _number(home),
            "foreignNotional": _number(foreign),
            "trdType": "Regular",
        }
        if row["flag"] == "off_book":
            del told["side"]
            told["trdType"] = "Settlement"
        return told

    def _quote(self, row: dict[str, Any]) -> dict[str, Any]:
        told = {"timestamp": _iso(row["timestamp"]), "symbol": row["symbol"]}
        for side in ("bid", "ask"):
            if row[side] is not None:
                size = row[f"{side}_size"]
                told[f"{side}Size"] = int(_contracts(row["symbol"], size, row[side]))
                told[f"{side}Price"] = _number(row[side])
        return told

    def _liquidation(self, row: dict[str, Any]) -> dict[str, Any]:
        self._orders += 1
        return {
            "orderID": f"00000000-006d-1000-0000-{self._orders:012x}",
            "symbol": row["symbol"],
            "side": "Buy" if row["tick_rule"] > 0 else "Sell",
            "price": _number(row["price"]),
            "leavesQty": int(_contracts(row["symbol"], row["size"], row["price"])),
        }


def _contracts(symbol: str, size: Decimal, price: Decimal) -> Decimal:
    made = size * _POSITION if symbol.endswith("USDT") else size * price
    return made.to_integral_value()


def _instrument(symbol: str) -> dict[str, Any]:
    linear = symbol.endswith("USDT")
    return {
        "symbol": symbol,
        "typ": "FFWCSX",
        "state": "Open",
        "isInverse": not linear,
        "isQuanto": False,
        "multiplier": 1 if linear else -(10**8),
        "underlyingToPositionMultiplier": _POSITION if linear else None,
        "underlyingToSettleMultiplier": None if linear else -(10**8),
        "openInterest": 1_000_000,
        "timestamp": "2025-09-30T12:48:45.419Z",
    }


def _number(value: Decimal) -> float | int:
    """Return a number as BitMEX spells it, without a point where it is whole."""
    return int(value) if value == value.to_integral_value() else float(value)


def _iso(time: int) -> str:
    seconds, rest = divmod(time, 10**9)
    stamp = pa.scalar(seconds, pa.timestamp("s")).as_py().isoformat()
    return f"{stamp}.{rest // 10**6:03d}Z"
