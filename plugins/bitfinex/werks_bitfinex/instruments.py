"""All pairs of Bitfinex as they are now."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import RATE_SCALE, batch, schema, word
from werks.wire import decimals

from . import rest

_SCHEMA = schema("INSTRUMENT", rest.SCALES)
# One answer with a list for each of the four, in this order.
PATH = "conf/pub:list:pair:exchange,pub:list:pair:futures,pub:info:pair,pub:info:pair:futures"
# Amounts have eight digits, whatever the pair.
_LOT = "0.00000001"
_CODE = 3


class _Rules(msgspec.Struct, array_like=True, gc=False):
    _0: msgspec.Raw
    _1: msgspec.Raw
    _2: msgspec.Raw
    min_size: str | None = None


class _Info(msgspec.Struct, array_like=True, gc=False):
    pair: str
    rules: _Rules


_Lists = tuple[list[str], list[str], list[_Info], list[_Info]]


@attrs.frozen
class Instruments:
    """The pairs of Bitfinex that can be traded: spot, and derivatives, which are perpetual.

    Codes are the exchange's own: UST is Tether, BTCF0 the bitcoin of a derivative.
    """

    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "there is no tick size: orders have prices of five significant digits, trades may have"
        " more",
        "pairs that are gone are not listed; nor is when one was listed",
    )

    def read(self, http: Http) -> pa.RecordBatch:
        """Return all pairs, spot first."""
        asked = rest.request(self.rest_url, PATH, {}, rest.OTHERS)
        spot, futures, *infos = rest.ask(http, asked, _Lists)
        pairs = list(dict.fromkeys([*spot, *futures]))
        least = {info.pair: info.rules.min_size for each in infos for info in each}
        codes = [_codes(pair, asked.url) for pair in pairs]
        derived, count, url = set(futures), len(pairs), asked.url
        symbols = pa.array([f"t{pair}" for pair in pairs], pa.string())
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, count),
            symbol=symbols.dictionary_encode(),
            kind=["perpetual" if pair in derived else "spot" for pair in pairs],
            status=["trading"] * count,
            base=[base for base, _ in codes],
            quote=[quote for _, quote in codes],
            settle=[quote for _, quote in codes],
            lot_size=decimals([_LOT] * count, RATE_SCALE, url, "lot size"),
            min_size=decimals([least.get(each) for each in pairs], RATE_SCALE, url, "min size"),
            contract_value=decimals(["1"] * count, RATE_SCALE, url, "contract value"),
            inverse=[False] * count,
        )


def _codes(pair: str, url: str) -> tuple[str, str]:
    """Return base and quote: parted by a colon where a code has more than three letters."""
    base, colon, quote = pair.partition(":")
    if not colon:
        base, quote = pair[:_CODE], pair[_CODE:]
        if len(quote) != _CODE:
            what = "a pair of two codes of three letters, or with a colon, is expected"
            raise DataError(f"{url}: {pair!r}: {what}; update the plugin")
    return base, quote
