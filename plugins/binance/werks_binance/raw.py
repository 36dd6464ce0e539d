"""Trades and aggregates as Binance writes them: its own fields, in its order, the text kept."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from werks.archive import check, stamped
from werks.components import Continuity, File, Http, option
from werks.schema import TIME, VERSION, WORD, batch, same, word

from . import days
from .aggtrades import AggTrades
from .trades import Trades

_FIRST = {"exchange": WORD, "symbol": WORD, "timestamp": TIME, "received": TIME}
_MADE = {
    "trade_time": pa.int64(),
    "is_buyer_maker": pa.bool_(),
    "is_best_match": pa.bool_(),
}
# The letters of the websocket, in its order: e E t p q b a T m M X, and e E a p q f l T m M nq.
_TRADE = {
    "event": pa.string(),
    "event_time": pa.int64(),
    "trade_id": pa.string(),
    "price": pa.string(),
    "quantity": pa.string(),
    "buyer_order_id": pa.int64(),
    "seller_order_id": pa.int64(),
    **_MADE,
    "execution": pa.string(),
    "quote_quantity": pa.string(),
}
_AGGREGATE = {
    "event": pa.string(),
    "event_time": pa.int64(),
    "trade_id": pa.string(),
    "price": pa.string(),
    "quantity": pa.string(),
    "first_fill_id": pa.int64(),
    "last_fill_id": pa.int64(),
    **_MADE,
    "quantity_without_rpi": pa.string(),
}
NUMBER = r"^[0-9]+(\.[0-9]+)?$"

_TRADE_COLUMNS = {
    "id": pa.string(),
    "price": pa.string(),
    "qty": pa.string(),
    "quote_qty": pa.string(),
    "time": pa.int64(),
    "is_buyer_maker": pa.string(),
}
_AGGREGATE_COLUMNS = {
    "agg_trade_id": pa.string(),
    "price": pa.string(),
    "quantity": pa.string(),
    "first_trade_id": pa.int64(),
    "last_trade_id": pa.int64(),
    "transact_time": pa.int64(),
    "is_buyer_maker": pa.string(),
}
_SPOT = {"is_best_match": pa.string()}


def _schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    metadata = {b"werks.schema": b"RAW", b"werks.version": str(VERSION).encode()}
    return pa.schema(list((_FIRST | columns).items()), metadata=metadata)


TRADES, AGGREGATES = _schema(_TRADE), _schema(_AGGREGATE)


@attrs.frozen
class RawTrades:
    """The fields of @trade and of the files of trades, in their order, prices as they are written.

    Columns: event, event_time, symbol, trade_id, price, quantity, buyer_order_id, seller_order_id,
    trade_time, is_buyer_maker, is_best_match, execution (`X`, USD-M) and quote_quantity (files).
    What a door does not tell is null: files have no event_time and no order ids. Times are numbers
    as they came: milliseconds, but microseconds in files of spot since 2025.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    archive_url: str = option(days.ARCHIVE_URL, help=days.ARCHIVE_HELP, identity=False)
    listing_url: str = option(days.LISTING_URL, help=days.LISTING_HELP, identity=False)

    lag: ClassVar[timedelta] = days.LAG
    schema: ClassVar[pa.Schema] = TRADES

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def continuity(self) -> Continuity:
        """`contiguous` on spot; `increasing` on USD-M, where holes are in order."""
        return Trades(market=self.market).continuity

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's files cannot prove."""
        return Trades(market=self.market).blind_spots

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the day files that the bucket lists, or all days if there is no listing."""
        return self._place().files(symbols, start, stop, http)

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of one symbol's file, in the file's order."""
        for row, block, time in _blocks(stream, file, _TRADE_COLUMNS, self.market, "time"):
            _check_numbers(block, ("price", "qty", "quote_qty"), file, row)
            yield batch(
                self.schema,
                exchange=word(self.exchange, block.num_rows),
                symbol=word(file.symbols[0], block.num_rows),
                timestamp=time,
                event=_every("trade", block.num_rows),
                trade_id=block["id"],
                price=block["price"],
                quantity=block["qty"],
                trade_time=block["time"],
                quote_quantity=block["quote_qty"],
                **_told(block, file, row),
            )

    def _place(self) -> days.Place:
        return days.Place(self.market, "trades", self.archive_url, self.listing_url)


@attrs.frozen
class RawAggTrades:
    """The fields of @aggTrade and of the files of aggregates, in their order, as they are written.

    Columns: event, event_time, symbol, trade_id (the aggregate's own), price, quantity,
    first_fill_id, last_fill_id, trade_time, is_buyer_maker, is_best_match and quantity_without_rpi
    (`nq`, USD-M). Files have no event_time. Times are numbers as they came: milliseconds, but
    microseconds in files of spot since 2025. Invalid aggregates (price 0) are left in.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    archive_url: str = option(days.ARCHIVE_URL, help=days.ARCHIVE_HELP, identity=False)
    listing_url: str = option(days.LISTING_URL, help=days.LISTING_HELP, identity=False)

    lag: ClassVar[timedelta] = days.LAG
    schema: ClassVar[pa.Schema] = AGGREGATES
    continuity: ClassVar[Continuity] = "contiguous"

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's files cannot prove."""
        return AggTrades(market=self.market).blind_spots

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the day files that the bucket lists, or all days if there is no listing."""
        return self._place().files(symbols, start, stop, http)

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the aggregates of one symbol's file, in the file's order, invalid ones too."""
        columns = _AGGREGATE_COLUMNS
        for row, block, time in _blocks(stream, file, columns, self.market, "transact_time"):
            _check_numbers(block, ("price", "quantity"), file, row)
            yield batch(
                self.schema,
                exchange=word(self.exchange, block.num_rows),
                symbol=word(file.symbols[0], block.num_rows),
                timestamp=time,
                event=_every("aggTrade", block.num_rows),
                trade_id=block["agg_trade_id"],
                price=block["price"],
                quantity=block["quantity"],
                first_fill_id=block["first_trade_id"],
                last_fill_id=block["last_trade_id"],
                trade_time=block["transact_time"],
                **_told(block, file, row),
            )

    def _place(self) -> days.Place:
        return days.Place(self.market, "aggTrades", self.archive_url, self.listing_url)


def _blocks(
    stream: BinaryIO, file: File, columns: Mapping[str, pa.DataType], market: str, clock: str
) -> Iterator[tuple[int, pa.RecordBatch, pa.Array]]:
    """Yield (number of the first row, block, times) of a file, which has one unit of time."""
    wanted, unit = {**columns, **(_SPOT if market == "spot" else {})}, 0
    for row, block in days.rows(stream, file, wanted, tuple(wanted)):
        unit = unit or days.unit(block[clock])
        yield row, block, stamped(block[clock], unit, file.url, row)


def _every(text: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _check_numbers(block: pa.RecordBatch, names: Sequence[str], file: File, row: int) -> None:
    """Raise DataError for text that is no number: the file is not what it is taken for."""
    for name in names:
        column = block[name]
        good = pc.match_substring_regex(column, NUMBER).to_numpy(zero_copy_only=False)
        say = f"{name} cannot be {{}}: a number is expected"
        check(good, file.url, row, lambda bad, c=column, s=say: s.format(f"{c[bad]!s:.40}"))  # type: ignore[misc]


def _told(block: pa.RecordBatch, file: File, row: int) -> dict[str, Any]:
    """Return the columns that are true or false."""
    made = {"is_buyer_maker": pa.array(days.taker(block["is_buyer_maker"], file, row) < 0)}
    if "is_best_match" in block.schema.names:
        made["is_best_match"] = pa.array(_truth(block["is_best_match"], file, row))
    return made


def _truth(column: pa.Array, file: File, row: int) -> Any:
    lower = pc.utf8_lower(column)
    yes = same(lower, "true")
    check(
        np.asarray(yes | same(lower, "false"), bool),
        file.url,
        row,
        lambda bad: f"is_best_match cannot be {column[bad]!s:.40}: true or false is expected",
    )
    return yes
