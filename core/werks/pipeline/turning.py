"""What REST is asked for at the turn of a bar: the exchange's candle, what stands beside it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ..components import Stream
from ..http import Http
from ..ledger import Ledger
from ..transforms.join import Values
from .abreast import Abreast
from .comparing import Comparing, Streams
from .graph import Branch, Graph
from .until import LiveFigures, Until

# How many seconds one answer may take; what is not had is asked for again.
_PATIENCE = 10.0


class Turning:
    """Asks for one live source, by threads of its own: no row waits for it, but bars that want it.

    Their clients share the budgets of `http`, the one that the source asks by.
    """

    def __init__(self, branch: Branch, given: tuple[Graph, Ledger, Until], http: Http) -> None:
        graph, ledger, until = given
        source = branch.source
        doors: dict[str, tuple[Any, float]] = {}
        for node in branch.transforms:
            for name in node.beside:
                longest = max(node.wait, doors[name][1] if name in doors else 0.0)
                doors[name] = graph.config.sources[name].doors["rest"], longest
        live = source.replay is None
        self._clients = [http.twin(1, _PATIENCE) for _ in range(2)]
        self._abreast = Abreast(doors, self._clients[0] if live else None, until.clock)
        self._comparing: Comparing | None = None
        if source.candles is not None and not source.candles.off and live:
            hooks = graph.config.plugins.events
            told = ledger, hooks
            self._comparing = Comparing(source.candles, self._clients[1], told, until.clock)

    def close(self) -> None:
        """Ask no more."""
        self._abreast.close()
        if self._comparing is not None:
            self._comparing.close()

    def beside(self, stream: Stream) -> Mapping[str, Values]:
        """Return what stands beside the bars of a stream, by source."""
        return self._abreast.of(stream)

    def over(self, stream: Stream, day: date) -> None:
        """Take note of a day that is over and in the ledger."""
        if self._comparing is not None:
            self._comparing.over(stream, day)

    def step(self, streams: Streams, clock: float, figures: Mapping[Stream, LiveFigures]) -> None:
        """Take what REST has answered, and ask what there is to be asked."""
        for stream, why in self._abreast.step(clock).items():
            if stream in figures:
                figures[stream].not_asked = why
        if self._comparing is not None:
            self._comparing.step(streams, clock, figures)
