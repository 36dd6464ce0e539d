"""All rows of a node read back out of a sink, and how they differ from others."""

from collections.abc import Callable

import pyarrow as pa

from werks.components import Window
from werks.pipeline import Graph


def reader(graph: Graph, received: bool = False) -> Callable[[str, str, str], pa.Table]:
    """Return what reads all rows of a node out of a sink: (sink, node, symbol)."""
    (branch,) = graph.branches
    windows: dict[tuple[str, str], list[Window]] = {}

    def read(sink: str, node: str, symbol: str) -> pa.Table:
        component, of = graph.sink(sink), branch.schemas[node]
        if (sink, node) not in windows:
            found = (window for window, _ in component.proofs(node))
            windows[sink, node] = sorted(found, key=lambda each: (each.day is None, each.day))
        mine = [each for each in windows[sink, node] if each.symbol == symbol]
        batches = [batch for window in mine for batch in component.read(window, node, of)]
        return plain(pa.Table.from_batches(batches, of), received)

    return read


def plain(table: pa.Table, received: bool = False) -> pa.Table:
    """Return rows in one piece, words as text, with or without when they were received."""
    kept = [field for field in table.schema if received or field.name != "received"]
    of = pa.schema(
        [(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in kept]
    )
    return table.select(of.names).cast(of).combine_chunks()


def difference(ours: pa.Table, theirs: pa.Table) -> str:
    """Return how two tables differ; empty if they do not."""
    if ours.equals(theirs):
        return ""
    mine, other = ours.to_pylist(), theirs.to_pylist()
    pairs = enumerate(zip(mine, other, strict=False))
    first = next(((n, *pair) for n, pair in pairs if pair[0] != pair[1]), "none but the ends")
    names = [{row.get("trade_id") for row in each} for each in (mine, other)]
    more = f"{len(names[0] - names[1])} too many, {len(names[1] - names[0])} missing"
    return f"{len(mine)} rows, not {len(other)}: {more}; the first that differ: {first}"
