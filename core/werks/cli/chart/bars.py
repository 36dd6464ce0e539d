"""Bars as the file sinks have written them, one series for each node, exchange and symbol."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from werks import schema
from werks.cli.chart import ticks
from werks.errors import ConfigError, DataError

_SUFFIXES = (".feather", ".parquet")
_LAST = ("end", "close", "last_trade_id", "complete")
_FOLDED = {"high": "max", "low": "min"} | dict.fromkeys(
    (
        "volume",
        "notional",
        "buy_volume",
        "buy_notional",
        "ticks",
        "buy_ticks",
        "realized_variance",
    ),
    "sum",
)


@attrs.frozen(eq=False)
class Series:
    """The bars of one node for one symbol, oldest first; `candle` says what a folded row spans."""

    node: str
    exchange: str
    symbol: str
    table: pa.Table
    candle: str = ""

    def floats(self, column: str) -> npt.NDArray[np.float64]:
        """Return a column of amounts as floats, which are good enough to draw."""
        return cast(npt.NDArray[np.float64], pc.cast(self.table[column], pa.float64()).to_numpy())

    def times(self, column: str = "timestamp") -> npt.NDArray[np.int64]:
        """Return a column of times as nanoseconds since 1970, UTC."""
        return cast(npt.NDArray[np.int64], pc.cast(self.table[column], pa.int64()).to_numpy())


def read(path: Path) -> list[Series]:
    """Return all bars in a file or below a folder; ConfigError if there are none.

    The layout is `<node>/<exchange>/<symbol>/<YYYY-MM-DD>.<ext>`, with `open.<ext>` for the open
    remainder; a file that lies elsewhere is a series of its own, named after the file.
    """
    found: dict[tuple[Path, str, str, str], list[pa.Table]] = {}
    for file in _files(path):
        table = _table(file)
        if schema.kind(table.schema) != "BAR" or not table.num_rows:
            continue
        exchange, symbol = table["exchange"][0].as_py(), table["symbol"][0].as_py()
        key = (file.parent, _node(file, exchange), exchange, symbol)
        found.setdefault(key, []).append(table)
    if not found:
        raise ConfigError([f"{path}: no bars in .feather or .parquet files there; run a pipeline"])
    return [Series(*key[1:], _joined(key[0], tables)) for key, tables in found.items()]


def _files(path: Path) -> Iterator[Path]:
    """Yield data files sorted by path, so days come in order and `open` last."""
    if not path.exists():
        raise ConfigError([f"{path}: there is no such file or folder"])
    if path.is_file() and path.suffix not in _SUFFIXES:
        raise ConfigError([f"{path}: charts are drawn from .feather and .parquet files only"])
    within = [path] if path.is_file() else path.rglob("*")
    files = [
        file
        for file in within
        if file.suffix in _SUFFIXES and not any(p[0] == "." for p in file.relative_to(path).parts)
    ]
    # Two sinks may write the same node to one folder: the first format stands for both.
    once = {file.with_suffix(""): file for file in sorted(files, reverse=True)}
    yield from sorted(once.values())


def _table(file: Path) -> pa.Table:
    """Read a whole file if it holds bars, else only its schema."""
    try:
        with pa.OSFile(str(file)) as source:
            if file.suffix == ".parquet":
                parquet = pq.ParquetFile(source)
                of = parquet.schema_arrow
                table = parquet.read() if schema.kind(of) == "BAR" else of.empty_table()
            else:
                arrow = pa.ipc.open_file(source)
                table = (
                    arrow.read_all()
                    if schema.kind(arrow.schema) == "BAR"
                    else arrow.schema.empty_table()
                )
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{file}: cannot be read: {reason}; write it again") from error
    version = schema.version(table.schema)
    if schema.kind(table.schema) == "BAR" and version != schema.VERSION:
        raise DataError(f"{file}: is of version {version}, not {schema.VERSION}; write it again")
    return table


def _node(file: Path, exchange: str) -> str:
    folder = file.resolve().parent
    return folder.parent.parent.name if folder.parent.name == exchange else file.stem


def _joined(folder: Path, tables: list[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    except pa.ArrowInvalid as error:
        raise DataError(f"{folder}: its files differ in their columns; write them again") from error


def fold(series: Series, limit: int) -> Series:
    """Return at most `limit` candles: first open, highest high, lowest low, last close, sums.

    Time bars are folded to a round width, other bars by equal counts.
    """
    table = series.table
    if table.num_rows <= limit:
        return series
    groups, candle = _groups(series, max(limit, 1))
    starts = ticks.changes(groups)
    first = table.take(starts)
    last = table.take(np.append(starts[1:], table.num_rows) - 1)
    grouped = table.append_column("group", pa.array(groups)).group_by("group", use_threads=False)
    folded = grouped.aggregate(list(_FOLDED.items()))
    columns: dict[str, Any] = {name: first[name] for name in table.column_names}
    columns |= {name: last[name] for name in _LAST}
    columns |= {name: folded[f"{name}_{how}"] for name, how in _FOLDED.items()}
    made = pa.table([columns[f.name].cast(f.type) for f in table.schema], schema=table.schema)
    return attrs.evolve(series, table=made, candle=candle)


def _groups(series: Series, limit: int) -> tuple[npt.NDArray[np.int64], str]:
    """Return the number of the candle that each bar belongs to, and what a candle spans."""
    times = series.times()
    widths = np.unique(series.times("end") - times)
    step = ticks.width(times, limit) if len(widths) == 1 else None
    if step is not None:
        return ticks.steps(times, step), ticks.words(step)
    count = -(-len(times) // limit)
    return np.arange(len(times)) // count, f"{count} bars"
