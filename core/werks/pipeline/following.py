"""Once the past is read: what is live is followed, and recordings are played again."""

from contextlib import ExitStack

import attrs

from ..errors import WerksError
from .ahead import Ahead, connected, heard, live
from .graph import Graph
from .listening import Listening
from .newcomers import Newcomers
from .reloading import Reloading
from .replayed import prepared, replay
from .report import Report
from .streaming import today
from .until import Until
from .walking import Means


def go_on(
    graph: Graph, means: Means, given: tuple[Report, Until], ahead: Ahead | None, last: int
) -> None:
    """Listen to the sources that have no end until that is over; the report gets what came.

    Those that are connected by now are `ahead`; all days that were over at a time (ns) have been
    read: the `last` that was looked at.
    """
    (report, until), ledger = given, means.ledger
    try:
        with ExitStack() as stack:
            replayed = live(graph, means.http, True)
            if replayed:
                tapes = replay(replayed, graph.config.settings.replay_speed)
                replayed = [prepared(branch, tapes, ledger) for branch in replayed]
                by_tape = attrs.evolve(until, clock=tapes.now)
                played = connected(replayed, (graph, ledger, by_tape), tapes, stack)
                Listening(graph, ledger, (report, by_tape), tapes).run(played.sources)
            ahead = ahead or heard((graph, ledger, until), means.http, stack)
            ahead.begin(today(last))
            if ahead.sources:
                newcomers = Newcomers(graph, Reloading(graph, means, until), report, ahead.claims)
                Listening(graph, ledger, given, ahead.inbox, newcomers).run(ahead.sources)
    except KeyboardInterrupt:
        report.stopped = True
    except WerksError as error:
        report.errors.append(("live", error))
