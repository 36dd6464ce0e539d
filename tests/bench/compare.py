"""Reads what a contender has written and prints its row counts and exact sums as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet

NODES = {
    "big": ["total_size", "total_notional", "total_ticks", "total_buy_notional"],
    "minutes": ["volume", "notional", "buy_notional", "ticks", "high", "low", "close", "open"],
    "dollars": ["volume", "notional", "buy_notional", "ticks", "high", "low", "close", "open"],
}
# The ancestor keeps a sweep's last price only: its bars open, and reach, where ours do not.
PRICES = {"open", "high", "low"}


def table(folder: Path, node: str) -> pa.Table:
    """Return all rows of a node: one file, or one a day with the open remainder beside it."""
    single = [folder / f"{node}.feather", folder / f"{node}.parquet"]
    paths = [path for path in single if path.exists()]
    paths = paths or sorted((folder / "out" / node).rglob("*.feather"))
    read = {".feather": pa.feather.read_table, ".parquet": pa.parquet.read_table}
    return pa.concat_tables([read[path.suffix](path) for path in paths])


def figures(folder: Path, with_prices: bool) -> dict[str, Any]:
    """Return rows and sums of each node; equal amounts give equal text."""
    found: dict[str, Any] = {}
    for node, names in NODES.items():
        rows = table(folder, node)
        sums = {"rows": str(len(rows))}
        for name in names:
            if with_prices or name not in PRICES:
                value = pc.sum(rows[name]).as_py()
                sums[name] = format(
                    value.normalize() if hasattr(value, "normalize") else value, "f"
                )
        found[node] = sums
    return found


def main() -> None:
    """Print the figures of a folder."""
    wanted = figures(Path(sys.argv[1]), with_prices="--no-prices" not in sys.argv)
    sys.stdout.write(json.dumps(wanted) + "\n")


if __name__ == "__main__":
    main()
