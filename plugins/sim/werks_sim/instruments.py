"""The list of the exchange's markets."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.hookspecs import hookimpl
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest, wire
from .exchange import Exchange

_SCHEMA = schema("INSTRUMENT", wire.SCALES)


class _Market(msgspec.Struct):
    symbol: str
    base: str
    quote: str
    status: str
    tick: str
    lot: str
    listed: int


class _Page(msgspec.Struct):
    rows: list[_Market]


@attrs.frozen
class Instruments:
    """The markets of the simulated exchange, by REST: `GET /instruments`.

    Without `rest_url` the list is made on the spot and nothing is asked for.
    """

    rest_url: str = option(
        "", help="where the REST interface is; left out: it is simulated", identity=False
    )

    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ()

    def read(self, http: Http) -> pa.RecordBatch:
        """Return all markets, one a row."""
        asked = rest.client(http, self.rest_url, Exchange())
        request = rest.request(self.rest_url, "instruments")
        markets = asked.json(request, _Page, rest.refusal).rows
        count, url = len(markets), request.url
        lots = decimals([each.lot for each in markets], RATE_SCALE, url, "lot")
        return batch(
            _SCHEMA,
            exchange=word(wire.EXCHANGE, count),
            symbol=pa.array([each.symbol for each in markets], pa.string()).dictionary_encode(),
            kind=["perpetual"] * count,
            status=[each.status for each in markets],
            base=[each.base for each in markets],
            quote=[each.quote for each in markets],
            settle=[each.quote for each in markets],
            tick_size=decimals([each.tick for each in markets], RATE_SCALE, url, "tick"),
            lot_size=lots,
            min_size=lots,
            contract_value=decimals(["1"] * count, RATE_SCALE, url, "contract value"),
            inverse=[False] * count,
            listed=times(epoch([each.listed for each in markets], wire.TIME_UNIT, url)),
        )


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `sim.instruments`."""
    return {"instruments": Instruments}
