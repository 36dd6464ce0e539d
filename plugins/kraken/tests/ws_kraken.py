"""A simulated websocket of Kraken, version 2: what it says of trades, quotes and candles."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pyarrow as pa

from werks.schema import kind, nanoseconds
from werks.testing import Venue
from werks.testing.tape import by_name

SECOND = 10**9
_KINDS = {"trade": "TRADE", "ticker": "QUOTE", "ohlc": "CANDLE"}
_CHANNELS = {kind: channel for channel, kind in _KINDS.items()}
_SNAPSHOT = {"trade": 50, "ticker": 1, "ohlc": 720}
_TIME = "2026-08-01T02:53:53.184174Z"


@attrs.define
class Words:
    """One connection; `werks.testing.LoopbackSocket(Words)` serves it.

    Trades of one moment come in one message.
    """

    venue: Venue
    _on: dict[str, dict[str, dict[str, Any]]] = attrs.field(factory=dict, init=False)

    def opened(self, path: str) -> str:
        """Return the status; the number of the connection is beyond what a float holds."""
        return _status("online")

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a ping or a subscription, one for each symbol."""
        try:
            asked = json.loads(text)
        except json.JSONDecodeError:
            yield json.dumps({"error": "Malformed request", "success": False})
            return
        if asked.get("method") == "ping":
            yield json.dumps({"method": "pong", "time_in": _TIME, "time_out": _TIME})
            return
        params = asked["params"]
        for symbol in params["symbol"]:
            yield from self._subscribed(symbol, params, asked.get("req_id"))

    def _subscribed(self, symbol: str, params: dict[str, Any], number: int | None) -> Iterator[str]:
        named = self._on.setdefault(params["channel"], {})
        answer = {"method": "subscribe", "req_id": number, "time_in": _TIME, "time_out": _TIME}
        why = self._why(symbol, named)
        if why:
            yield json.dumps(answer | {"error": why, "success": False, "symbol": symbol})
            return
        named[symbol] = params
        result = {**params, "symbol": symbol}
        yield json.dumps(answer | {"result": result, "success": True})
        past = self.venue.past(symbol, _SNAPSHOT[params["channel"]], _KINDS[params["channel"]])
        if past is not None and params.get("snapshot"):
            yield self._message(past, "snapshot")

    def _why(self, symbol: str, named: dict[str, Any]) -> str:
        if symbol in self.venue.refused or symbol.startswith(("XBT/", "XDG/")):
            return f"Currency pair not supported {symbol}"
        return "Already subscribed" if symbol in named else ""

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield messages of rows, those of one moment together."""
        channel, symbol = _CHANNELS[kind(rows.schema)], str(rows["symbol"][0])
        if symbol not in self._on.get(channel, {}):
            return
        times, start = nanoseconds(rows["timestamp"]), 0
        for stop in range(1, len(rows) + 1):
            if stop == len(rows) or times[stop] != times[start]:
                yield self._message(rows.slice(start, stop - start), "update")
                start = stop

    def heartbeat(self) -> str | None:
        """Return a heartbeat; there is none before anything is subscribed to."""
        return '{"channel":"heartbeat"}' if any(self._on.values()) else None

    def maintenance(self) -> str:
        """Return the status that is told before connections are closed."""
        return _status("maintenance")

    def _message(self, rows: pa.RecordBatch, what: str) -> str:
        channel = _CHANNELS[kind(rows.schema)]
        write = {"trade": _trade, "ticker": _ticker, "ohlc": _candle}[channel]
        said = ",".join(write(row) for row in by_name(rows))
        stamp = f',"timestamp":"{_TIME}"' if channel == "ohlc" else ""
        return f'{{"channel":"{channel}","type":"{what}","data":[{said}]{stamp}}}'


def _status(system: str) -> str:
    said = {"version": "2.0.10", "system": system, "api_version": "v2"}
    data = [said | {"connection_id": 7204881492680171915}]
    return json.dumps({"channel": "status", "type": "update", "data": data})


def _trade(row: dict[str, Any]) -> str:
    side = "buy" if row["tick_rule"] > 0 else "sell"
    return (
        f'{{"symbol":"{row["symbol"]}","side":"{side}","price":{row["price"]:f},'
        f'"qty":{row["size"]:f},"ord_type":"limit","trade_id":{row["trade_id"]},'
        f'"timestamp":"{moment(row["timestamp"])}"}}'
    )


def _ticker(row: dict[str, Any]) -> str:
    figures = {
        "bid": row["bid"],
        "bid_qty": row["bid_size"],
        "ask": row["ask"],
        "ask_qty": row["ask_size"],
        "last": row["bid"],
    }
    numbers = ",".join(f'"{name}":{value or 0:f}' for name, value in figures.items())
    stamp = moment(row["timestamp"])
    return f'{{"symbol":"{row["symbol"]}",{numbers},"timestamp":"{stamp}"}}'


def _candle(row: dict[str, Any]) -> str:
    names = ("open", "high", "low", "close", "volume")
    numbers = ",".join(f'"{name}":{row[name]:f}' for name in names)
    return (
        f'{{"symbol":"{row["symbol"]}",{numbers},"vwap":1.0,"trades":{row["trades"]},'
        f'"interval_begin":"{moment(row["timestamp"], 9)}","interval":{_MINUTES[row["interval"]]}}}'
    )


_MINUTES = {"1m": 1, "5m": 5, "1h": 60, "1d": 1440}


def moment(time: int, digits: int = 6) -> str:
    """Return a time in ns as Kraken writes it, with more digits where it needs them."""
    second, rest = divmod(time, SECOND)
    fraction = f"{rest:09}"
    fraction = fraction[:digits] if not int(fraction[digits:] or 0) else fraction
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{fraction}Z"
