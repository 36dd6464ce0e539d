"""A candle chart out of box characters, each with two half rows, for a terminal of any size."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from werks.cli.chart import ticks
from werks.cli.chart.bars import Series, fold

if TYPE_CHECKING:
    from rich.text import Text

Line = list[tuple[str, str]]

# By what fills the upper and the lower half of a cell: nothing, a wick or a body.
_CANDLES = np.array(list(" ╷╻╵│╽╹╿┃"))
_BLOCKS = np.array(list(" ▁▂▃▄▅▆▇█"))
_QUIET = "dim"
_AXIS_LINES = 2
_MARK_ROOM = 14
_LEAST_COLUMNS = 8
_FEWEST_COLUMNS = 24  # a date and a time stand below even a single candle


@attrs.frozen(eq=False)
class _Scale:
    """The price range over so many rows, with the labels that stand beside some of them."""

    low: float
    high: float
    rows: int

    def cells(self, prices: Any, halves: int = 1) -> npt.NDArray[np.int64]:
        """Return the row, or half row, counted from the top, that each price lies in."""
        count = self.rows * halves
        place = (self.high - np.asarray(prices)) / (self.high - self.low) * count
        return np.clip(place.astype(np.int64), 0, count - 1)

    def labels(self) -> dict[int, str]:
        """Return the round prices by row."""
        prices, digits = ticks.prices(self.low, self.high, max(1, self.rows // 3))
        rows = self.cells(prices).tolist()
        return {row: f"{price:,.{digits}f}" for row, price in zip(rows, prices, strict=True)}


@attrs.frozen(eq=False)
class _Plot:
    """Candles, `pitch` columns each, and the axis right of all columns if there is room for it."""

    candles: Series
    pitch: int
    columns: int
    axis: bool

    def row(self, glyphs: npt.NDArray[np.str_], look: str = "") -> Line:
        """Return a row of one glyph a candle, joined where the colour stays the same."""
        left = " " * ((self.pitch - 1) // 2)
        ups = self.candles.floats("close") >= self.candles.floats("open")
        cells = zip(glyphs.tolist(), ups.tolist(), strict=True)
        runs = [
            (
                "".join((left + glyph).ljust(self.pitch) for glyph, _ in run),
                look + ("green" if up else "red"),
            )
            for up, run in groupby(cells, key=lambda cell: cell[1])
        ]
        return [*runs, (" " * (self.columns - self.pitch * len(glyphs)), "")]

    def edge(self, mark: str, label: str = "", style: str = _QUIET) -> Line:
        """Return what stands right of a row: a piece of the axis and its label."""
        return [(f"{mark} {label}".rstrip(), style)] if self.axis else []


def draw(series: Series, width: int, height: int) -> "Text":
    """Return a chart of at most `width` columns and `height` lines, readable without colour too."""
    from rich.text import Text

    below = _AXIS_LINES if height >= 6 else 0
    room = max(height - 1 - below, 1)
    volume_rows = 0 if room < 7 else 1 if room < 12 else 2 if room < 26 else 3
    scale = _scale(series, room - volume_rows)
    plot = _plot(series, scale, width)
    lines = [_title(plot.candles, width), *_prices(plot, scale), *_volumes(plot, volume_rows)]
    lines += _times(plot) if below else []
    texts = [Text.assemble(*line) for line in lines[:height]]
    for text in texts:
        text.truncate(max(width, 1), overflow="ellipsis")
    return Text("\n", no_wrap=True).join(texts)


def _title(series: Series, width: int) -> Line:
    """Return what is drawn and how the price went, in as much detail as there is room for."""
    opened, closed = series.floats("open")[0], series.floats("close")[-1]
    high, low = series.floats("high").max(), series.floats("low").min()
    digits = ticks.digits(np.array([opened, high, low, closed]))
    name = [(_printable(f"{series.exchange} {series.symbol}"), "bold")]
    node = [(f" {_printable(series.node)}", _QUIET)]
    candle = [(f" in candles of {series.candle}" if series.candle else "", _QUIET)]
    rest: Line = []
    for letter, price in (("O", opened), ("H", high), ("L", low)):
        rest += [(f"  {letter} ", _QUIET), (f"{price:,.{digits}f}", "")]
    percent = f"{(closed / opened - 1) * 100:+.2f} %".replace("-", "−")
    change = [(f"  {percent}", "green" if closed >= opened else "red")]
    close = [("  C ", _QUIET), (f"{closed:,.{digits}f}", ""), *change]
    whole = name + node + rest + close
    shorter = (name + node + close, name + close, name + change)
    for line in (name + node + candle + rest + close, whole, *shorter):
        if sum(len(text) for text, _ in line) <= width:
            return line
    return name


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _scale(series: Series, rows: int) -> _Scale:
    low, high = float(series.floats("low").min()), float(series.floats("high").max())
    if low == high:
        low, high = low - (abs(low) * 0.001 or 1.0), high + (abs(high) * 0.001 or 1.0)
    return _Scale(low, high, rows)


def _plot(series: Series, scale: _Scale, width: int) -> _Plot:
    """Return as many candles as the width has room for beside the labels."""
    labels = [*scale.labels().values(), _last(series), _volume_label(series), "vol 99.9M"]
    axis = max(map(len, labels)) + 2
    drawn = width - axis >= max(axis, _LEAST_COLUMNS)
    columns = max(width - axis if drawn else width, 1)
    candles = fold(series, columns)
    pitch = min(3, columns // candles.table.num_rows)
    taken = max(pitch * candles.table.num_rows, min(columns, _FEWEST_COLUMNS))
    return _Plot(candles, pitch, taken, drawn)


def _last(series: Series) -> str:
    prices = series.floats("close")
    return f"{prices[-1]:,.{ticks.digits(prices)}f}"


def _prices(plot: _Plot, scale: _Scale) -> Iterator[Line]:
    """Yield the rows with the candles; the last price stands out of the round ones."""
    high, low, opened, closed = (
        scale.cells(plot.candles.floats(name), 2)[:, None]
        for name in ("high", "low", "open", "close")
    )
    halves = np.arange(2 * scale.rows)
    wick = (halves >= high) & (halves <= low)
    body = (halves >= np.minimum(opened, closed)) & (halves <= np.maximum(opened, closed))
    fill = wick.astype(np.int8) + body
    glyphs = _CANDLES[3 * fill[:, 0::2] + fill[:, 1::2]]
    labels, last = scale.labels(), int(scale.cells(plot.candles.floats("close")[-1]))
    for row in range(scale.rows):
        if row == last:
            edge = plot.edge("◂", _last(plot.candles), "bold")
        else:
            edge = plot.edge("┤" if row in labels else "│", labels.get(row, ""))
        yield plot.row(glyphs[:, row]) + edge


def _volume_label(series: Series) -> str:
    value = float(series.floats("volume").max())
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"vol {value / size:.3g}{letter}"
    return f"vol {value:.3g}"


def _volumes(plot: _Plot, rows: int) -> Iterator[Line]:
    """Yield the rows with the volume of each candle, the greatest one filling them."""
    volume = plot.candles.floats("volume")
    eighths = np.ceil(volume / (volume.max() or 1.0) * 8 * rows).astype(np.int64)
    for row in range(rows):
        filled = np.clip(eighths - 8 * (rows - 1 - row), 0, 8)
        label = _volume_label(plot.candles) if row == 0 else ""
        yield plot.row(_BLOCKS[filled], "dim ") + plot.edge("┤" if label else "│", label)


def _times(plot: _Plot) -> Iterator[Line]:
    """Yield the line of the time axis and the times below it."""
    line, words, end = ["─"] * plot.columns, " " * plot.columns, -1
    for column, label in _marks(plot):
        start = max(0, column - len(label) // 2)
        if start > end and start + len(label) <= plot.columns:
            line[column] = "┬"
            words = words[:start] + label + words[start + len(label) :]
            end = start + len(label) + 1
    yield [("".join(line), _QUIET), *plot.edge("┘")]
    yield [(words, _QUIET), *plot.edge(" ", "UTC")]


def _marks(plot: _Plot) -> Iterator[tuple[int, str]]:
    """Yield the columns of the first candle and of round times, each with its label."""
    times = plot.candles.times()
    step = ticks.width(times, 1 + plot.columns // _MARK_ROOM) or ticks.TIMES[-1]
    shift = (plot.pitch - 1) // 2
    first = datetime.fromtimestamp(int(times[0]) // ticks.SECOND, UTC)
    to_the_minute = times[0] % ticks.DAY >= ticks.MINUTE and plot.columns > len("2024-05-01 00:00")
    yield shift, f"{first:%Y-%m-%d %H:%M}" if to_the_minute else f"{first:%Y-%m-%d}"
    before = first
    for row in ticks.changes(ticks.steps(times, step))[1:].tolist():
        time = datetime.fromtimestamp(ticks.start(int(times[row]), step) // ticks.SECOND, UTC)
        shown = "%H:%M:%S" if step < ticks.MINUTE else "%H:%M"
        if time.year != before.year:
            shown = "%Y-%m-%d"
        elif time.date() != before.date():
            shown = "%m-%d"
        yield plot.pitch * row + shift, f"{time:{shown}}"
        before = time
