"""The trades that Binance publishes day by day."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import BinaryIO, ClassVar, Literal

import attrs
import pyarrow as pa

from werks import amounts
from werks.archive import stamped
from werks.components import Continuity, File, Http, option
from werks.schema import batch, schema, word

from . import days

_COLUMNS = {
    "id": pa.int64(),
    "price": days.PRICE,
    "qty": days.SIZE,
    "time": pa.int64(),
    "is_buyer_maker": pa.string(),
}
_NAMES = {
    "usdm": ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"),
    "spot": ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match"),
}
_BLIND_SPOTS = {
    "spot": ("2018-02-08 ends at 00:28:14: the exchange was down, the day is whole",),
    "usdm": (
        "ids have holes where trades of the insurance fund and of auto-deleveraging are left out:"
        " a hole proves nothing, and no hole proves that all is there",
        "trades are missing on 2023-01-23 and 2023-01-24 and, for hundreds of symbols, 2025-10-10",
    ),
}


@attrs.frozen
class Trades:
    """Every trade of Binance's public archive: spot or USD-M futures, a file a day.

    Files come out the next day, each with its checksum. BTCUSDT goes back to 2017-08-17 (spot) and
    2019-09 (USD-M); every other symbol to its own listing. notional is price × size, because the
    published quote amount is cut.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    archive_url: str = option(days.ARCHIVE_URL, help=days.ARCHIVE_HELP, identity=False)
    listing_url: str = option(days.LISTING_URL, help=days.LISTING_HELP, identity=False)

    lag: ClassVar[timedelta] = days.LAG

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """TRADE with eight digits for prices and for sizes."""
        return schema("TRADE", days.SCALES)

    @property
    def continuity(self) -> Continuity:
        """`contiguous` on spot; `increasing` on USD-M, where holes are in order."""
        return "contiguous" if self.market == "spot" else "increasing"

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
        return days.Place(self.market, "trades", self.archive_url, self.listing_url)

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of one symbol's file, in the file's order."""
        unit = 0
        for row, block in days.rows(stream, file, _COLUMNS, _NAMES[self.market]):
            unit = unit or days.unit(block["time"])
            price, size = (amounts.ints(amounts.limbs(block[name])) for name in ("price", "qty"))
            yield batch(
                self.schema,
                exchange=word(self.exchange, block.num_rows),
                symbol=word(file.symbols[0], block.num_rows),
                timestamp=stamped(block["time"], unit, file.url, row),
                trade_id=block["id"].cast(pa.string()),
                tick_rule=days.taker(block["is_buyer_maker"], file, row),
                price=block["price"],
                size=block["qty"],
                notional=amounts.column(amounts.product(price, size), days.SCALES.notional),
            )
