"""The manner of the ancestor, restated: pandas frames of text and Decimal, walked row by row.

It reads a whole file as text, folds consecutive trades of one time and side in a loop, keeps the
significant ones minute by minute, makes candles a minute at a time and bars by a running sum, and
writes each as a Parquet file. What it calls volume is the notional of today, and the other way
round; here both bear today's names.
"""

import json
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]

KEYS = ["timestamp", "nanoseconds", "tick_rule"]


def read(path: str) -> pd.DataFrame:
    """Return the trades of a file, amounts as Decimal."""
    raw = pd.read_csv(path, dtype=str)
    frame = pd.DataFrame({"uid": raw["trdMatchID"]})
    seconds = raw["timestamp"].map(Decimal)
    frame["timestamp"] = pd.to_datetime(
        [int(value * 1_000_000) for value in seconds], unit="us", utc=True
    )
    frame["nanoseconds"] = [int(value * 1_000_000_000) % 1000 for value in seconds]
    frame["tick_rule"] = raw["side"].map({"Buy": 1, "Sell": -1})
    frame["price"] = raw["price"].map(Decimal)
    frame["size"] = raw["size"].map(Decimal)
    frame["notional"] = frame["price"] * frame["size"]
    return frame


def aggregate(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run of trades of one time and side."""
    found: list[dict[str, Any]] = []
    run: list[Any] = []
    for row in frame.itertuples():
        if run and any(getattr(run[-1], key) != getattr(row, key) for key in KEYS):
            found.append(_folded(run))
            run = []
        run.append(row)
    if run:
        found.append(_folded(run))
    return pd.DataFrame(found)


def _folded(run: list[Any]) -> dict[str, Any]:
    first = run[0]
    return {
        "uid": first.uid,
        "timestamp": first.timestamp,
        "nanoseconds": first.nanoseconds,
        "tick_rule": first.tick_rule,
        "price": run[-1].price,
        "size": sum(row.size for row in run),
        "notional": sum(row.notional for row in run),
        "ticks": len(run),
    }


def minutes(frame: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Yield (start, rows) of each minute that has rows."""
    starts = frame["timestamp"].dt.floor("1min")
    one = pd.Timedelta(minutes=1)
    start, last = starts.iloc[0], starts.iloc[-1]
    while start <= last:
        rows = frame[(frame["timestamp"] >= start) & (frame["timestamp"] < start + one)]
        if len(rows):
            yield start, rows
        start += one


def significant(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    """Return the significant rows of each minute with the totals up to them."""
    found: list[dict[str, Any]] = []
    for _, rows in minutes(frame):
        begin = 0
        for number, row in enumerate(rows.itertuples()):
            if row.notional >= least:
                found.append(_totals(rows.iloc[begin : number + 1], True))
                begin = number + 1
        if begin < len(rows):
            found.append(_totals(rows.iloc[begin:], False))
    return pd.DataFrame(found)


def _totals(rows: pd.DataFrame, stands: bool) -> dict[str, Any]:
    last = rows.iloc[-1]
    bought = rows[rows["tick_rule"] == 1]
    row = {name: last[name] for name in ("uid", "timestamp", "nanoseconds", "price")}
    for name in ("size", "notional", "tick_rule", "ticks"):
        row[name] = last[name] if stands else None
    row |= {"high": rows["price"].max(), "low": rows["price"].min()}
    for name in ("size", "notional", "ticks"):
        row[f"total_{name}"] = rows[name].sum()
        row[f"total_buy_{name}"] = bought[name].sum() or _nothing(name)
    return row


def _nothing(name: str) -> Any:
    return 0 if name == "ticks" else Decimal(0)


def candle(rows: pd.DataFrame, start: Any) -> dict[str, Any]:
    """Return what became of the price over some rows."""
    bought = rows[rows["tick_rule"] == 1]
    price = rows["price"].astype(float).to_numpy()
    return {
        "timestamp": start,
        "open": rows["price"].iloc[0],
        "high": rows["price"].max(),
        "low": rows["price"].min(),
        "close": rows["price"].iloc[-1],
        "volume": rows["size"].sum(),
        "notional": rows["notional"].sum(),
        "buy_volume": bought["size"].sum() or Decimal(0),
        "buy_notional": bought["notional"].sum() or Decimal(0),
        "ticks": rows["ticks"].sum(),
        "buy_ticks": bought["ticks"].sum(),
        "realized_variance": float((np.diff(np.log(price)) ** 2).sum()),
    }


def candles(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a candle for each minute that has rows."""
    return pd.DataFrame([candle(rows, start) for start, rows in minutes(frame)])


def bars(frame: pd.DataFrame, every: int) -> pd.DataFrame:
    """Return a bar each time the running notional has come to `every`; the last may be short."""
    found, begin, total = [], 0, Decimal(0)
    for number, row in enumerate(frame.itertuples()):
        total += row.notional
        if total >= every:
            found.append(candle(frame.iloc[begin : number + 1], frame["timestamp"].iloc[begin]))
            begin, total = number + 1, Decimal(0)
    if begin < len(frame):
        found.append(candle(frame.iloc[begin:], frame["timestamp"].iloc[begin]))
    return pd.DataFrame(found)


def _timed(rows: int, work: Any, *given: Any) -> tuple[pd.DataFrame, float]:
    """Return what a loop made, and how many rows it took a second."""
    began = time.perf_counter()
    made = work(*given)
    return made, rows / (time.perf_counter() - began)


def main() -> None:
    """Read a file and write three into a folder; print each loop's rows a second."""
    path, folder, least, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    trades = read(path)
    ticks, aggregated = _timed(len(trades), aggregate, trades)
    big, filtered = _timed(len(ticks), significant, ticks, least)
    made, timed = _timed(len(ticks), candles, ticks)
    dollars, summed = _timed(len(ticks), bars, ticks, every)
    big.to_parquet(folder / "big.parquet")
    made.to_parquet(folder / "minutes.parquet")
    dollars.to_parquet(folder / "dollars.parquet")
    speeds = {"aggregate": aggregated, "filter": filtered, "minutes": timed, "dollars": summed}
    sys.stdout.write(json.dumps(speeds) + "\n")


if __name__ == "__main__":
    main()
