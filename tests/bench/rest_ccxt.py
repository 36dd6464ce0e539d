"""REST pages read by ccxt's own methods; its network call is replaced by pages from memory."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ccxt
from rest_by_row import speed

# Its name of an exchange, of the symbol, and what its method is given beside it.
_KNOWN: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "binance.trades": ("binance", "BTCUSDT", {"fetchTradesMethod": "publicGetHistoricalTrades"}),
    "binance.aggtrades": ("binance", "BTCUSDT", {"fetchTradesMethod": "publicGetAggTrades"}),
    "coinbase.trades": ("coinbaseexchange", "BTC-USD", {}),
    "kraken.trades": ("kraken", "XBTUSDT", {}),
    "bitfinex.trades": ("bitfinex", "tBTCUSD", {}),
    "binance.candles": ("binance", "BTCUSDT", {}),
    "bybit.candles": ("bybit", "BTCUSDT", {}),
    "coinbase.candles": ("coinbaseexchange", "BTC-USD", {}),
    "kraken.candles": ("kraken", "XBTUSDT", {}),
    "bitfinex.candles": ("bitfinex", "tBTCUSD", {}),
}
_SYMBOL = "BTC/USDT"


def _client(name: str, id_: str) -> Any:
    """Return an exchange that knows one market, so that it loads none."""
    made = getattr(ccxt, name)({"enableRateLimit": False, "apiKey": "none"})
    market = made.safe_market_structure(
        {"id": id_, "symbol": _SYMBOL, "base": "BTC", "quote": "USDT", "type": "spot",
         "spot": True, "swap": False, "future": False, "option": False, "contract": False,
         "active": True}
    )  # fmt: skip
    made.set_markets([market])
    return made


def _reader(name: str, bodies: Sequence[str]) -> Callable[[], list[Any]]:
    exchange, id_, params = _KNOWN[name]
    client = _client(exchange, id_)
    method = client.fetch_ohlcv if name.endswith(".candles") else client.fetch_trades
    given = {"timeframe": "1m"} if name.endswith(".candles") else {}

    def read() -> list[Any]:
        found = []
        for body in bodies:
            client.fetch = lambda *_, body=body: client.parse_json(body)
            # More than any page holds, so that nothing is cut off.
            found += method(_SYMBOL, limit=10_000, params=params, **given)
        return found

    return read


def _measured(name: str, bodies: Sequence[str]) -> dict[str, Any]:
    read = _reader(name, bodies)
    made = read()
    prices = sum(row["price"] if isinstance(row, dict) else row[4] for row in made)
    return {"rows": len(made), "sum": prices, "speed": speed(read)}


def main() -> None:
    """Measure all kinds of a file of pages that ccxt has an exchange for."""
    pages = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    wanted = {name: given for name, given in pages.items() if name in _KNOWN}
    found = {name: _measured(name, given["bodies"]) for name, given in wanted.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
