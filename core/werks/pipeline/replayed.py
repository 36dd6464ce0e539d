"""Live sources that have a recording in place of connections."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import attrs

from ..components import Stream
from ..config import SourceNode, is_pattern
from ..errors import DataError
from ..ledger import Ledger
from ..live import Recording, Replay
from .graph import Branch
from .streaming import Mark, today


def recording(source: SourceNode) -> Recording:
    """Return what a source is replayed from."""
    assert source.replay is not None  # noqa: S101  (only such a source is asked for it)
    return Recording(source.replay, source.doors["live"].exchange, source.type)


def replay(branches: Sequence[Branch], speed: float) -> Replay:
    """Return the recordings of sources as an inbox; DataError if one of them is not there."""
    return Replay([recording(branch.source) for branch in branches], speed)


def prepared(branch: Branch, of: Replay, ledger: Ledger) -> Branch:
    """Return a source with the symbols that are replayed, as patterns have them.

    DataError if a symbol was not recorded, or its days are there already and no replay made them.
    """
    source, begin = branch.source, today(of.now())
    tapes = recording(source)
    names, symbols = of.symbols(tapes), list[str]()
    for symbol in source.symbols:
        found = [name for name in names if fnmatchcase(name, symbol)]
        found = found if is_pattern(symbol) else [name for name in names if name == symbol]
        if not found:
            raise DataError(f"{tapes.path}: no connection was recorded that served {symbol}")
        symbols += found
    symbols = list(dict.fromkeys(symbols))
    for symbol in symbols:
        stream = Stream(tapes.exchange, symbol, source.type)
        text = ledger.live(stream)
        mark = Mark.of(text) if text else None
        doors = {(mark.day, mark.door)} if mark else set()
        doors |= {(window.day, window.door) for window in ledger.windows(stream)}
        for day, door in sorted(doors):
            if door != "replay" and begin <= day <= of.last_day(tapes):
                own = "give the replay a ledger (`state`) and sinks of its own"
                raise DataError(f"{stream}: {day} is there already, by {door}: {own}")
    return attrs.evolve(branch, source=attrs.evolve(source, symbols=tuple(symbols)))
