"""Times the bars of mlfinpy on the same trades, in an environment that has it."""

import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
from mlfinpy.data_structure import get_dollar_bars, get_tick_bars, get_time_bars, get_volume_bars

_COLUMNS = {"cum_dollar_value": "notional", "cum_ticks": "ticks"}
_SUMS = ["open", "high", "low", "close", "volume", "notional", "ticks"]


def made(by: str, every: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of one kind; a bar that is open at the end is none here."""
    if by == "time":
        return get_time_bars(frame, resolution="MIN", num_units=1, verbose=False)
    kinds = {"ticks": get_tick_bars, "volume": get_volume_bars, "notional": get_dollar_bars}
    return kinds[by](frame, threshold=every, verbose=False)


def main() -> None:
    """Time each kind of bars that the command line asks for."""
    given = np.load(sys.argv[1])
    frame = pd.DataFrame(
        {
            "date_time": pd.to_datetime(given["time"]),
            "price": given["price"],
            "volume": given["size"],
        }
    )
    found = {}
    for by, every in json.loads(sys.argv[2]).items():
        began = time.perf_counter()
        bars = made(by, every, frame)
        taken = time.perf_counter() - began
        bars = bars.rename(columns=_COLUMNS)
        sums = {name: float(bars[name].sum()) for name in _SUMS}
        found[by] = {"speed": len(frame) / taken, "bars": len(bars), **sums}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
