"""The aggregated trades that Binance publishes day by day."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts
from werks.archive import check, stamped
from werks.components import Continuity, File, Http, option
from werks.schema import batch, schema, word

from . import days

_COLUMNS = {
    "agg_trade_id": pa.int64(),
    "price": days.PRICE,
    "quantity": days.SIZE,
    "first_trade_id": pa.int64(),
    "last_trade_id": pa.int64(),
    "transact_time": pa.int64(),
    "is_buyer_maker": pa.string(),
}
_NAMES = {"usdm": tuple(_COLUMNS), "spot": (*_COLUMNS, "is_best_match")}
_BLIND_SPOTS = {
    "spot": (
        "BTCUSDT lacks 674,766 aggregates from 2021-12-14 09:29:10 to the end of that day; other"
        " symbols may lack theirs",
        "aggregates that an audit of 2022 found invalid (price, quantity 0) are left out: their ids"
        " then look like a hole",
    ),
    "usdm": (
        "ticks counts all ids from the first fill to the last, also those of trades of the"
        " insurance fund and of auto-deleveraging that an aggregate runs across",
        "trades are missing on 2023-01-23 and 2023-01-24 and, for hundreds of symbols, 2025-10-10",
        "files have been published with two streams of ids interleaved (2023-05): the order of the"
        " ids is not that of the rows",
    ),
}


@attrs.frozen
class AggTrades:
    """The fills of one taker order at one price as one tick: spot or USD-M futures, a file a day.

    trade_id and last_trade_id are both the aggregate's own id, which lives in another space than
    the ids of `binance.trades`; ticks is the number of fills. On USD-M an aggregate holds all fills
    of one side and price within 100 ms.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    archive_url: str = option(days.ARCHIVE_URL, help=days.ARCHIVE_HELP, identity=False)
    listing_url: str = option(days.LISTING_URL, help=days.LISTING_HELP, identity=False)

    lag: ClassVar[timedelta] = days.LAG
    continuity: ClassVar[Continuity] = "contiguous"

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """TICK with eight digits for prices and for sizes."""
        return schema("TICK", days.SCALES)

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's files cannot prove."""
        return _BLIND_SPOTS[self.market]

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the day files that the bucket lists, or all days if there is no listing."""
        return self._place().files(symbols, start, stop, http)

    def recognises(self, path: str) -> File | None:
        """Return the file that the path of a copy is of."""
        return self._place().recognised(path)

    def _place(self) -> days.Place:
        return days.Place(self.market, "aggTrades", self.archive_url, self.listing_url)

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the aggregates of one symbol's file, in the file's order, without invalid ones."""
        unit = 0
        for row, block in days.rows(stream, file, _COLUMNS, _NAMES[self.market]):
            unit = unit or days.unit(block["transact_time"])
            ticks, valid = _fills(block, file, row)
            times = stamped(block["transact_time"], unit, file.url, row)
            price, size = (
                amounts.ints(amounts.limbs(block[name])) for name in ("price", "quantity")
            )
            made = batch(
                self.schema,
                exchange=word(self.exchange, block.num_rows),
                symbol=word(file.symbols[0], block.num_rows),
                timestamp=times,
                **_ids(block["agg_trade_id"]),
                tick_rule=days.taker(block["is_buyer_maker"], file, row),
                **dict.fromkeys(("price", "open", "high", "low"), block["price"]),
                size=block["quantity"],
                notional=amounts.column(amounts.product(price, size), days.SCALES.notional),
                ticks=ticks,
            )
            yield made if valid.all() else made.filter(pa.array(valid))


def _ids(column: pa.Array) -> dict[str, pa.Array]:
    return dict.fromkeys(("trade_id", "last_trade_id"), column.cast(pa.string()))


def _fills(
    block: pa.RecordBatch, file: File, row: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the number of fills of each aggregate, and which ones the audit of 2022 left valid."""
    first, last = block["first_trade_id"].to_numpy(), block["last_trade_id"].to_numpy()
    valid = (first != -1) | (last != -1)
    check(
        ~valid | ((first <= last) & (first >= 0)),
        file.url,
        row,
        lambda bad: f"an aggregate cannot have fills from {first[bad]} to {last[bad]}",
    )
    return last - first + 1, valid
