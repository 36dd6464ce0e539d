"""Connections that are made before the past is read: what comes on them meanwhile waits."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import date

import attrs

from ..errors import WerksError
from ..http import Http
from ..ledger import Ledger
from ..live import ROOM, Inbox, Replay
from ..live.spool import Spool
from .claim import Claims, TakenError
from .doors import looked_up
from .graph import Branch, Graph
from .livesource import LiveSource
from .until import Until


@attrs.frozen
class Ahead:
    """Sources that are listened to, and the inbox for what they bring."""

    inbox: Inbox | Replay
    sources: list[LiveSource]
    claims: Claims

    def begin(self, day: date) -> None:
        """Have all streams begin with a day, whose end may come before they do."""
        for source in self.sources:
            source.first = day


def live(graph: Graph, http: Http, replayed: bool) -> list[Branch]:
    """Return the branches that go on live, their symbols looked up, or those that are replayed."""
    return [
        attrs.evolve(branch, source=looked_up(branch.source, http))
        for branch in graph.branches
        if branch.source.is_live
        and (branch.source.replay is not None) == replayed
        and any(branch.sinks.values())
    ]


def connected(
    branches: Iterable[Branch],
    given: tuple[Graph, Ledger, Until],
    inbox: Inbox | Replay,
    stack: ExitStack,
) -> Ahead:
    """Listen to sources, until the end of the stack; TakenError if another run does already."""
    branches = list(branches)
    heard = () if isinstance(inbox, Replay) else branches  # a recording may be read by many
    ahead = Ahead(inbox, [], Claims(given[1], heard))
    ahead.claims.take()
    stack.callback(ahead.claims.release)
    for branch in branches:
        source = LiveSource(branch, given, stack)
        stack.callback(source.stop)
        ahead.sources.append(source)
        source.connect(inbox, ROOM * len(ahead.sources))
    return ahead


def heard(given: tuple[Graph, Ledger, Until], http: Http, stack: ExitStack) -> Ahead:
    """Listen to all sources that go on live; WerksError if their symbols cannot be looked up."""
    graph = given[0]
    inbox = Inbox(Spool(graph.config.settings.spool_limit))
    return connected(live(graph, http, False), given, inbox, stack)


def early(given: tuple[Graph, Ledger, Until], http: Http, stack: ExitStack) -> Ahead | None:
    """Listen to them before the past is read; None if that cannot be done yet.

    Then it is tried again once it is read, and told.
    """
    try:
        return heard(given, http, stack)
    except TakenError:
        raise
    except WerksError:
        return None
