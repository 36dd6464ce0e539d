"""Times each transform of werks on a day in memory; prints rows a second and what came out."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from werks.amounts import ints, limbs
from werks.archive import ByteStream
from werks.components import File
from werks.schema import nanoseconds
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.columns import columns
from werks.transforms.filter import Filter
from werks_bybit import Trades

_PASSES = 3


def trades(path: Path) -> list[pa.RecordBatch]:
    """Return the batches of a day as the pipeline gets them."""
    symbol, day = path.name[:-17], date.fromisoformat(path.name[-17:-7])
    file = File(path.as_uri(), day, day + timedelta(days=1), (symbol,))
    stream: Any
    with ByteStream(path, path.name) as stream:
        return list(Trades().read(file, stream, [symbol]))


def passed(
    component: Any, batches: Sequence[pa.RecordBatch]
) -> tuple[list[pa.RecordBatch], float, float]:
    """Return all that a transform makes of some batches, and the seconds that this takes.

    First from rows on, then from arrays on: these are there already if the node above has made
    them, as `aggregate` does, or if another node has taken the same rows.
    """
    step = component.start({"above": batches[0].schema}, None)
    made, whole, pushed = [], 0.0, 0.0
    for rows in batches:
        began = time.perf_counter()
        columns(rows)
        ready = time.perf_counter()
        made += step.push(rows, "above")
        done = time.perf_counter()
        whole += done - began
        pushed += done - ready
    return [*made, *step.flush()], whole, pushed


def timed(component: Any, batches: Sequence[pa.RecordBatch]) -> dict[str, Any]:
    """Return rows a second, the median of some passes, and the sums of what came out.

    `speed` is from rows on, `ready` from arrays on.
    """
    rows = sum(map(len, batches))
    passes = [passed(component, batches) for _ in range(_PASSES)]
    made = passes[-1][0]
    speed, ready = (rows / median(each[place] for each in passes) for place in (1, 2))
    found: dict[str, Any] = {"speed": speed, "ready": ready, "rows": sum(map(len, made))}
    names = made[0].schema.names
    if "close" in names:
        table = pa.Table.from_batches(made)
        complete = table.filter(table["complete"])
        for name in ("open", "high", "low", "close", "volume", "notional", "ticks"):
            column = complete[name]
            found[name] = float(sum(value for value in column.to_pylist()))
        found["bars"] = len(complete)
    return found


def arrays(batches: Sequence[pa.RecordBatch], path: Path) -> None:
    """Write times, prices and sizes as floats for peers that know nothing else."""
    table = pa.Table.from_batches(batches).combine_chunks()
    rows = table.to_batches()[0]
    scales = {name: 10.0 ** rows.schema.field(name).type.scale for name in ("price", "size")}
    floats = {name: ints(limbs(rows[name])) / scale for name, scale in scales.items()}
    np.savez(path, time=nanoseconds(rows["timestamp"]), **floats)


def main() -> None:
    """Time what the command line asks for: the loops of the ancestor or the bars of mlfinpy."""
    path, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
    batches = trades(path)
    if len(sys.argv) > 3:
        arrays(batches, Path(sys.argv[3]))
        return
    if "filter" in wanted:
        ticks, *_ = passed(Aggregate(), batches)
        found = {
            "aggregate": timed(Aggregate(), batches),
            "filter": timed(Filter(min_notional=Decimal(wanted["filter"])), ticks),
        }
    else:
        found = {
            by: timed(Bars(by=by, every=every if by == "time" else Decimal(every)), batches)
            for by, every in wanted.items()
        }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
