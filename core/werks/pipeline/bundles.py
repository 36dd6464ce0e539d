"""Small batches made into larger ones before they are written and proven."""

from collections.abc import Iterator

import pyarrow as pa

from .flow import Rows

# Fewer rows cost a sink and a proof about as much as these.
ENOUGH = 1 << 13
_MOST = 4 << 20
# What waits in many pieces keeps the heap around them from being used again: a long run would grow.
_PIECES = 8


class Bundles:
    """The batches of each node, in order; those of `enough` rows pass through."""

    def __init__(self, enough: int = ENOUGH) -> None:
        self._enough = enough
        self._waiting: dict[str, list[pa.RecordBatch]] = {}
        self._held: dict[str, tuple[int, int]] = {}  # rows and bytes

    def add(self, node: str, batch: pa.RecordBatch) -> Iterator[Rows]:
        """Take a batch and yield what is enough."""
        if len(batch) >= self._enough:
            yield from self._taken(node)
            yield node, batch
            return
        waiting = self._waiting.setdefault(node, [])
        waiting.append(pa.concat_batches([batch]))  # copied: it may be a slice of a large one
        if len(waiting) == _PIECES:
            waiting[:] = [pa.concat_batches(waiting)]
        rows, held = self._held.get(node, (0, 0))
        rows, held = rows + len(batch), held + batch.nbytes
        self._held[node] = rows, held
        if rows >= self._enough or held >= _MOST:
            yield from self._taken(node)

    def rest(self) -> Iterator[Rows]:
        """Yield all that waits."""
        for node in list(self._waiting):
            yield from self._taken(node)

    def _taken(self, node: str) -> Iterator[Rows]:
        batches = self._waiting.pop(node, [])
        self._held.pop(node, None)
        if batches:
            yield node, batches[0] if len(batches) == 1 else pa.concat_batches(batches)
