"""The same work by Polars: its streaming engine, exact decimals, Arrow IPC files.

Only the bars by notional need a step of their own: where one ends depends on where the one before
did, which is no expression. It is a search in the running sum, bar by bar.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl  # type: ignore[import-not-found, unused-ignore]

PRICE, SIZE = pl.Decimal(38, 2), pl.Decimal(38, 3)
# A product has the digits of the factor that has more of them: one must have room for all five.
NOTIONAL, SCALE = pl.Decimal(38, 5), 10**5
BOUGHT = pl.col("tick_rule") == 1
FIELDS = {
    "timestamp": pl.Decimal(38, 9),
    "side": pl.String,
    "size": SIZE,
    "price": PRICE,
    "trdMatchID": pl.String,
}


def ticks(path: str) -> pl.LazyFrame:
    """Return consecutive trades of one time and side as one tick each."""
    trades = pl.scan_csv(path, schema_overrides=FIELDS).select(
        timestamp="timestamp",
        tick_rule=pl.when(pl.col("side") == "Buy").then(1).otherwise(-1).cast(pl.Int8),
        trade_id="trdMatchID",
        price="price",
        size="size",
        notional=pl.col("price").cast(NOTIONAL) * pl.col("size"),
    )
    new = _changed("timestamp") | _changed("tick_rule")
    folded = _by(trades.with_columns(run=new.fill_null(True).cum_sum()), "run").agg(
        timestamp=pl.col("timestamp").first(),
        trade_id=pl.col("trade_id").first(),
        last_trade_id=pl.col("trade_id").last(),
        tick_rule=pl.col("tick_rule").first(),
        price=pl.col("price").last(),
        size=pl.col("size").sum(),
        notional=pl.col("notional").sum(),
        open=pl.col("price").first(),
        high=pl.col("price").max(),
        low=pl.col("price").min(),
        ticks=pl.len(),
    )
    nanoseconds = (pl.col("timestamp") * 10**9).cast(pl.Int64)
    return folded.drop("run").with_columns(timestamp=nanoseconds.cast(pl.Datetime("ns", "UTC")))


def segments(rows: pl.LazyFrame, least: int) -> pl.LazyFrame:
    """Return the significant ticks with the totals of what lies before them in their minute."""
    marked = rows.with_columns(big=pl.col("notional") >= least)
    # Neither number ever falls, so their sum changes where one of them does.
    ended = pl.col("big").shift(fill_value=False).cum_sum().cast(pl.Int64)
    minute = pl.col("timestamp").dt.epoch("s") // 60
    own = {
        name: pl.when(pl.col("big").last()).then(pl.col(name).last())
        for name in ("tick_rule", "size", "notional", "ticks")
    }
    return (
        _by(marked.with_columns(segment=ended + minute), "segment")
        .agg(
            timestamp=pl.col("timestamp").last(),
            trade_id=pl.col("trade_id").first(),
            last_trade_id=pl.col("last_trade_id").last(),
            price=pl.col("price").last(),
            **own,
            **_prices(),
            total_size=pl.col("size").sum(),
            total_buy_size=_bought("size"),
            total_notional=pl.col("notional").sum(),
            total_buy_notional=_bought("notional"),
            total_ticks=pl.col("ticks").sum(),
            total_buy_ticks=_bought("ticks"),
        )
        .drop("segment")
    )


def bars(rows: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
    """Return a bar for each value of a key that never falls."""
    squared = pl.col("price").cast(pl.Float64).log().diff() ** 2
    return _by(rows.with_columns(bar=key, squared=squared.fill_null(0)), "bar").agg(
        timestamp=pl.col("timestamp").first(),
        end=pl.col("timestamp").last(),
        **_prices(),
        close=pl.col("price").last(),
        volume=pl.col("size").sum(),
        notional=pl.col("notional").sum(),
        buy_volume=_bought("size"),
        buy_notional=_bought("notional"),
        ticks=pl.col("ticks").sum(),
        buy_ticks=_bought("ticks"),
        realized_variance=pl.col("squared").sum() - pl.col("squared").first(),
        first_trade_id=pl.col("trade_id").first(),
        last_trade_id=pl.col("last_trade_id").last(),
    )


def ends(notional: pl.Series, every: int) -> Any:
    """Return the row after each row that brings a bar's notional to `every`."""
    running = (notional * SCALE).cast(pl.Int64).cum_sum().to_numpy()
    found: list[int] = []
    base = 0
    while True:
        row = int(np.searchsorted(running, base + every * SCALE))
        if row == len(running):
            return np.array(found, np.int64)
        found.append(row + 1)
        base = int(running[row])


def numbers(notional: pl.Series, every: int) -> pl.Series:
    """Return the number of the bar that each row belongs to."""
    first = np.zeros(len(notional) + 1, np.int64)
    first[ends(notional, every)] = 1
    return pl.Series(np.cumsum(first[:-1]))


def _by(rows: pl.LazyFrame, key: str) -> Any:
    return rows.set_sorted(key).group_by(key, maintain_order=True)


def _changed(name: str) -> pl.Expr:
    return pl.col(name) != pl.col(name).shift()


def _prices() -> dict[str, pl.Expr]:
    return {
        "open": pl.col("open").first(),
        "high": pl.col("high").max(),
        "low": pl.col("low").min(),
    }


def _bought(name: str) -> pl.Expr:
    return pl.when(BOUGHT).then(pl.col(name)).otherwise(0).sum()


def main() -> None:
    """Read a file and write three into a folder."""
    path, folder, least, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rows = ticks(path).collect(engine="streaming")
    number = numbers(rows["notional"], every)
    minute = pl.col("timestamp").dt.truncate("1m")
    sinks = {
        "big": segments(rows.lazy(), least),
        "minutes": bars(rows.lazy(), minute),
        "dollars": bars(rows.lazy(), pl.lit(number)),
    }
    pl.collect_all(
        [
            each.sink_ipc(folder / f"{name}.feather", compression="zstd", lazy=True)
            for name, each in sinks.items()
        ],
        engine="streaming",
    )


if __name__ == "__main__":
    main()
