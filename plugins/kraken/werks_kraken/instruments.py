"""All pairs of Kraken's spot market as they are now."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, batch, schema, word
from werks.wire import decimals

from . import rest
from .symbols import EXCHANGE, SCALES, renamed


class _Pair(msgspec.Struct):
    pair_decimals: int
    lot_decimals: int
    # The dark pools (names in .d) have none; REST and websocket v1 call it XBT/USD.
    wsname: str | None = None
    status: str | None = None
    tick_size: str | None = None
    ordermin: str | None = None
    costmin: str | None = None


class _Answer(msgspec.Struct):
    result: dict[str, _Pair]


@attrs.frozen
class Instruments:
    """All spot pairs with the steps of their prices and sizes, under the websocket's symbols.

    What has no name there, the dark pools of old, is left out, and so are tokenized stocks, which
    are another list.
    """

    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "when a pair was listed is not stated; one that is gone is not in the list",
        "the websocket's symbols are told from its old names, XBT and XDG being BTC and DOGE",
    )

    @property
    def schema(self) -> pa.Schema:
        """INSTRUMENT."""
        return schema("INSTRUMENT", SCALES)

    def read(self, http: Http) -> pa.RecordBatch:
        """Return all pairs, in the exchange's order."""
        asked = rest.request(self.rest_url, "AssetPairs")
        answer: _Answer = rest.ask(http, asked, _Answer)
        found = [(renamed(each.wsname), each) for each in answer.result.values() if each.wsname]
        symbols, pairs = [symbol for symbol, _ in found], [each for _, each in found]
        url, sides = asked.url, [symbol.partition("/") for symbol in symbols]
        ticks = [each.tick_size or _step(each.pair_decimals) for each in pairs]
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(pairs)),
            symbol=pa.array(symbols, pa.string()).dictionary_encode(),
            kind=["spot"] * len(pairs),
            status=["trading" if each.status == "online" else each.status for each in pairs],
            base=[base for base, _, _ in sides],
            quote=[quote for _, _, quote in sides],
            settle=[quote for _, _, quote in sides],
            tick_size=decimals(ticks, RATE_SCALE, url, "tick_size"),
            lot_size=decimals(
                [_step(each.lot_decimals) for each in pairs], RATE_SCALE, url, "lot_size"
            ),
            min_size=decimals(
                [_some(each.ordermin) for each in pairs], RATE_SCALE, url, "ordermin"
            ),
            min_notional=decimals(
                [_some(each.costmin) for each in pairs], RATE_SCALE, url, "costmin"
            ),
            contract_value=decimals(["1"] * len(pairs), RATE_SCALE, url, "contract_value"),
            inverse=[False] * len(pairs),
        )


def _step(digits: int) -> str:
    return f"{Decimal(1).scaleb(-digits):f}"


def _some(text: str | None) -> str | None:
    """Return a minimum; null where it is 0, which is none."""
    return text if text and text.strip("0.") else None
