"""One stream's rows on their way through the transforms of a branch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from ..components import State, Step
from ..config import Node
from ..transforms.join import Joining, Values, parted

Rows = tuple[str, pa.RecordBatch]


class Flow:
    """The steps of one stream; every method yields the rows of each node as (node, batch)."""

    def __init__(
        self,
        source: str,
        nodes: Sequence[Node],
        schemas: Mapping[str, pa.Schema],
        states: Mapping[str, State],
        beside: Mapping[str, pa.RecordBatch | Values],
    ) -> None:
        self._source = source
        self._joining: list[Joining] = []
        self._steps: dict[str, Step] = {}
        self._below: dict[str, list[str]] = {source: []}
        self._carrying = [node.name for node in nodes if node.component.seam == "never"]
        for node in nodes:
            inputs = {name: schemas[name] for name in node.inputs if name in self._below}
            state, held = parted(states.get(node.name))
            step = node.component.start(inputs, state)
            if node.beside:
                others = [_values(beside[name]) for name in node.beside]
                step = Joining(step, schemas[node.name], others, held)
                self._joining.append(step)
            self._steps[node.name] = step
            self._below[node.name] = []
            for name in inputs:
                self._below[name].append(node.name)

    @property
    def waits(self) -> bool:
        """Whether bars are held, until it is known what stands beside them."""
        return any(step.waits for step in self._joining)

    def push(self, batch: pa.RecordBatch) -> Iterator[Rows]:
        """Take rows of the source."""
        yield from self._down(self._source, [batch])

    def advance(self, time: int) -> Iterator[Rows]:
        """Take note that all rows before `time` have been pushed."""
        for name, step in self._steps.items():
            yield from self._down(name, step.advance(time))

    def cut(self) -> Iterator[Rows]:
        """Take note that rows are missing here."""
        for name, step in self._steps.items():
            yield from self._down(name, step.cut())

    def states(self) -> dict[str, State]:
        """Return what is carried over midnight, by node."""
        return {name: self._steps[name].state() for name in self._carrying}

    def carried(self) -> dict[str, State]:
        """Return what every node carries at this row, by node."""
        return {name: step.state() for name, step in self._steps.items()}

    def flush(self) -> Iterator[Rows]:
        """Yield the rows that are still open, and all that they lead to; the flow is over."""
        for name, step in self._steps.items():
            yield from self._down(name, step.flush())

    def _down(self, node: str, batches: Iterable[pa.RecordBatch]) -> Iterator[Rows]:
        for batch in batches:
            if not len(batch):
                continue
            yield node, batch
            for below in self._below[node]:
                yield from self._down(below, self._steps[below].push(batch, node))


def _values(rows: pa.RecordBatch | Values) -> Values:
    return rows if isinstance(rows, Values) else Values.all(rows)
