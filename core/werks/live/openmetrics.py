"""What a live run tells of itself as OpenMetrics 1.0.0, the text that Prometheus reads."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

Plain = Mapping[str, Any]
TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@attrs.frozen
class _Family:
    """A metric of each stream or sink; `value` gives None where there is none."""

    name: str
    kind: str
    help: str
    value: Callable[[Plain], float | None]
    unit: str = ""


_STREAM = ("exchange", "symbol", "component")
_STREAMS = (
    _Family("werks_rows", "counter", "Rows that went on since the run began.", lambda s: s["rows"]),
    _Family(
        "werks_rows_per_second",
        "gauge",
        "Rows a second over the last ten seconds.",
        lambda s: s["rows_per_second"],
    ),
    _Family(
        "werks_lag_seconds",
        "gauge",
        "Our clock less the time of the last row.",
        lambda s: s["lag"],
        "seconds",
    ),
    _Family("werks_held_rows", "gauge", "Rows that wait to go on.", lambda s: s["held"]),
    _Family(
        "werks_waiting", "gauge", "Whether rows may not go on now.", lambda s: bool(s["waits"])
    ),
    _Family("werks_holes", "counter", "Holes found since the run began.", lambda s: s["holes"]),
    _Family("werks_gaps_open", "gauge", "Gaps in the ledger.", lambda s: s["gaps_open"]),
    _Family(
        "werks_reconnects",
        "counter",
        "Lost connections that were made again since the run began.",
        lambda s: s["reconnects"],
    ),
    _Family("werks_connected", "gauge", "Whether a connection lives.", lambda s: s["connected"]),
    _Family(
        "werks_minutes_compared",
        "counter",
        "Minutes compared with the exchange's candles since the run began.",
        lambda s: s["compared"],
    ),
    _Family(
        "werks_minutes_differ",
        "counter",
        "Minutes found to differ from the exchange's candles since the run began.",
        lambda s: s["differ"],
    ),
)
_SINKS = (
    _Family(
        "werks_sink_waiting_bytes",
        "gauge",
        "Bytes of rows that are not durable in the sink yet.",
        lambda s: s["waiting_bytes"],
        "bytes",
    ),
    _Family("werks_sink_failing", "gauge", "Whether the sink fails.", lambda s: bool(s["failing"])),
)


def openmetrics(status: Plain) -> str:
    """Return a status as metrics; what is not known has no sample."""
    healthy = _Family("werks_healthy", "gauge", "Whether all flows.", lambda s: s["ok"])
    lines = [*_lines(healthy, (), (status,))]
    for family in _STREAMS:
        lines += _lines(family, _STREAM, status["streams"])
    for family in _SINKS:
        lines += _lines(family, ("sink",), status["sinks"])
    return "\n".join([*lines, "# EOF", ""])


def _lines(family: _Family, labels: Iterable[str], each: Iterable[Plain]) -> Iterable[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"
    name = f"{family.name}_total" if family.kind == "counter" else family.name
    for plain in each:
        value = family.value(plain)
        if value is not None:
            said = ",".join(f'{label}="{_escaped(plain[label])}"' for label in labels)
            number = repr(value) if isinstance(value, float) else f"{value:d}"
            yield f"{name}{{{said}}} {number}" if said else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
