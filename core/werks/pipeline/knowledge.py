"""What the ledger says of windows, against what the file asks for now."""

import copy
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from ..components import State, Stream, Window
from ..errors import FOREIGN, WerksError, foreign
from ..ledger import Commit, CommitKey, Ledger, WindowRecord
from .graph import Branch, Graph

_ONE = timedelta(days=1)
Began = Mapping[str, str | None]


class Knowledge:
    """What the ledger says of windows, against what the file asks for now."""

    def __init__(
        self, graph: Graph, ledger: Ledger, again: Iterable[tuple[Stream, date]] = ()
    ) -> None:
        self._ledger = ledger
        self._again = set(again)
        self._commits: dict[CommitKey, Commit] = ledger.commits()
        self._newest: dict[tuple[Stream, str, str], date] = {}
        for key in self._commits:
            self._note(key)
        self._sinks = {node.name: node.component for node in graph.config.of("sink")}

    def _note(self, key: CommitKey) -> None:
        stream, node, day, sink = key
        newest = self._newest.get((stream, node, sink), day)
        self._newest[stream, node, sink] = max(day, newest)

    def learn(self, key: CommitKey, commit: Commit) -> None:
        """Take note of a commit that was made just now."""
        self._commits[key] = commit
        self._again.discard((key[0], key[2]))
        self._note(key)

    def refresh(self, stream: Stream, day: date) -> None:
        """Take note of what other processes have done of a window in the meantime."""
        for key, commit in self._ledger.commits(stream, day).items():
            self._commits[key] = commit
            self._note(key)

    def redo(
        self, branch: Branch, window: tuple[Stream, date, int], began: Began
    ) -> dict[str, tuple[str, ...]]:
        """Return the nodes of a window that must be done (again), each with its sinks.

        `began` holds a digest of what is carried into the window, by node; None where that is not
        known yet because the window before it must be done first.
        """
        stream, day, until = window
        forced = (stream, day) in self._again
        found: dict[str, tuple[str, ...]] = {}
        for node, sinks in branch.sinks.items():
            stale = tuple(
                sink.name
                for sink in sinks
                if forced or not self._valid(branch, (stream, node, day, sink.name), until, began)
            )
            if stale:
                found[node] = stale
        return found

    def _valid(self, branch: Branch, key: CommitKey, until: int, began: Began) -> bool:
        stream, node, day, sink = key
        commit = self._commits.get(key)
        if commit is None or commit.until < until:
            return False
        if commit.fingerprint != branch.prints.of(node, sink):
            return False
        if began[node] != commit.began:
            return False
        window = Window(stream.exchange, stream.symbol, day)
        try:
            return bool(self._sinks[sink].holds(window, node, commit.receipt))
        except FOREIGN as error:
            raise error if isinstance(error, WerksError) else foreign(sink, error) from error

    def settles(self, stream: Stream, day: date, targets: Mapping[str, tuple[str, ...]]) -> bool:
        """Tell whether a window is the newest of its nodes: the open remainder is its own."""
        return all(
            day >= self._newest.get((stream, node, sink), day)
            for node, sinks in targets.items()
            for sink in sinks
        )

    def window(self, stream: Stream, day: date) -> WindowRecord | None:
        """Return a window as it was read."""
        return self._ledger.window(stream, day)

    def states(self, branch: Branch, stream: Stream, day: date) -> dict[str, State]:
        """Return what nodes carried at the end of a day, as far as it still holds."""
        return {
            node: state
            for (of, node), (made_by, state) in self._ledger.marks(day).items()
            if of == stream and branch.prints.fingerprints.get(node) == made_by
        }


class Chain:
    """What is carried along one stream's windows, from the last one that was done."""

    def __init__(self, known: Knowledge, branch: Branch, stream: Stream, first: date) -> None:
        self._known = known
        self._branch = branch
        self._carried = branch.prints.carried
        self._stream = stream
        self._last = first - _ONE
        self._unsure: frozenset[str] = frozenset()
        self.last_id: int | None = None
        self.states: Mapping[str, State] = {}
        self._look()

    def _look(self) -> None:
        """Take note of what the last window has left."""
        self.states = self._known.states(self._branch, self._stream, self._last)
        if any(self._branch.prints.carried.values()):
            window = self._known.window(self._stream, self._last)
            if window is None or window.rows:
                self.last_id = None if window is None else window.most_id

    def copy(self) -> "Chain":
        """Return a chain that goes its own way from here."""
        return copy.copy(self)

    def cut(self, day: date) -> bool:
        """Tell whether days are missing before a day."""
        return self._last + _ONE != day

    def before(self, day: date) -> tuple[bool, int | None]:
        """Return whether days are missing before a day, and the greatest id before it."""
        cut = self.cut(day)
        return cut, None if cut else self.last_id

    def began(self, day: date) -> Began:
        """Return digests of what is carried into a day, by node; None while that is not known."""
        if self._branch.source.anew:
            return dict.fromkeys(self._carried)
        digests = self._branch.prints.began(self.states, self.before(day))
        unsure = self._unsure
        return {n: None if unsure & self._carried[n] else d for n, d in digests.items()}

    def passed(self, day: date, redo: Iterable[str] = ()) -> None:
        """Take note of a window; what the nodes that will be redone carry is not known then."""
        carried = (self._carried[node] for node in redo)
        self._unsure = self._unsure.union(*carried)
        self._last = day
        self._look()

    def done(self, day: date) -> None:
        """Take note of a window that was done, and recorded, just now."""
        self._unsure = frozenset()
        self.passed(day)
