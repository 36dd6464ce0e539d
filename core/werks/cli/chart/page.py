"""Candle charts as one HTML page that holds all it needs and asks the network for nothing."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from importlib import resources
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from werks.cli.chart import ticks
from werks.cli.chart.bars import Series, fold

_LIBRARY = "lightweight-charts.standalone.production.js"
# From what looks best at a glance to what a browser still draws without effort.
_MOST_CANDLES = (240, 1_500, 20_000)


def page(series_list: Sequence[Series], title: str) -> str:
    """Return a page with a chart of each series, a choice between them and their totals."""
    static = resources.files(__package__) / "static"
    template = Template((static / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title),
        rows="\n".join(_row(series) for series in series_list),
        data=_script_json([_data(series) for series in series_list]),
        library=(static / _LIBRARY).read_text(encoding="utf-8"),
    )


def _script_json(data: Any) -> str:
    """Return JSON that no HTML parser mistakes for a tag, whatever its texts hold."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _data(series: Series) -> dict[str, Any]:
    """Return a series with its candles from the widest to the narrowest span."""
    folded = {made.candle: made for made in (fold(series, most) for most in _MOST_CANDLES)}
    return {
        "node": series.node,
        "exchange": series.exchange,
        "symbol": series.symbol,
        "candles": [_candles(made) for made in folded.values()],
    }


def _candles(series: Series) -> dict[str, Any]:
    """Return the columns that the chart and its legend show."""
    times = series.times()
    digits = {name: ticks.digits(series.floats(name)) for name in ("volume", "notional")}
    prices = {name: series.floats(name) for name in ("open", "high", "low", "close")}
    digits["price"] = ticks.digits(np.concatenate(list(prices.values())))
    return {
        "span": series.candle,
        "second": _seconds(times).tolist(),
        "start": (times // 1_000_000).tolist(),
        "end": (series.times("end") // 1_000_000).tolist(),
        **{name: _rounded(values, digits["price"]) for name, values in prices.items()},
        **{name: _rounded(series.floats(name), digits[name]) for name in ("volume", "notional")},
        **{f"{name}_digits": count for name, count in digits.items()},
        "ticks": series.table["ticks"].to_pylist(),
        "bought": _bought(series),
        "complete": series.table["complete"].to_pylist(),
    }


def _seconds(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return one second a bar, strictly ascending, which is what the library asks for.

    Threshold bars can share a second. Each such bar is placed one second after the bar before it,
    so a burst pushes the next bars along until a quieter stretch makes up for it. Only the place
    on the axis is moved: labels and legend show the true time.
    """
    rows = np.arange(len(times))
    return np.maximum.accumulate(times // ticks.SECOND - rows) + rows


def _rounded(values: npt.NDArray[np.float64], digits: int) -> list[float]:
    return [float(value) for value in np.round(values, digits)]


def _bought(series: Series) -> list[float | None]:
    """Return the share of each bar's volume that takers bought; None where there is no volume."""
    pairs = zip(series.floats("buy_volume"), series.floats("volume"), strict=True)
    return [round(float(buy / volume), 4) if volume else None for buy, volume in pairs]


def _row(series: Series) -> str:
    """Return a series' totals as a row of the table."""
    table = series.table
    volume, notional, bought, count = (
        pc.sum(table[name]).as_py() for name in ("volume", "notional", "buy_volume", "ticks")
    )
    cells = (
        series.node,
        series.exchange,
        series.symbol,
        f"{table.num_rows:,}",
        _amount(volume),
        _amount(notional),
        f"{count:,}",
        f"{bought / volume * 100:.1f} %" if volume else "–",
        _time(int(series.times()[0])),
        _time(int(series.times("end")[-1])),
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _amount(value: Decimal | float) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(nanoseconds: int) -> str:
    second, rest = divmod(nanoseconds, ticks.SECOND)
    time = datetime.fromtimestamp(second, UTC)
    if rest:
        return f"{time:%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03}"
    return f"{time:%Y-%m-%d %H:%M:%S}" if time.second else f"{time:%Y-%m-%d %H:%M}"
