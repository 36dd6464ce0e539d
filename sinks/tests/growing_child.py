"""Writes days of rows into files that grow and kills itself at a step.

Usage: growing_child.py WAY PATH PACKING STEP TIME MARK. WAY is `history` (a commit a day) or `live`
(segments, then a finish). STEP is where it kills itself, the TIME-th time it comes there; `never`
for not at all. After each commit or segment the mark is printed: what a ledger would hold. MARK is
the one to go on from.
"""

import json
import os
import signal
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from werks.components import Window
from werks.proof import Digest
from werks.schema import Scales, batch, schema, times, word
from werks_sinks import growing, journal, tails
from werks_sinks.csv import Csv

DAYS, ROWS, SEGMENT = 4, 40, 7
OF = schema("TRADE", Scales(1, 3))


def rows(number):
    begin = (1_714_521_600 + number * 86_400) * 10**9
    return batch(
        OF,
        exchange=word("bazaar", ROWS),
        symbol=word("XBTUSD", ROWS),
        timestamp=times(begin + np.arange(ROWS) * 10**12),
        trade_id=[str(number * ROWS + n) for n in range(ROWS)],
    )


def proofs(given):
    digest = Digest(OF)
    digest.add(given)
    return {"node": digest.proof()}


def window(number):
    return Window("bazaar", "XBTUSD", date(2024, 5, 1) + timedelta(number))


def mark(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def history(sink, known):
    for number in range(known or 0, DAYS):
        writer, given = sink.open({"node": OF}), rows(number)
        for start in range(0, ROWS, 9):
            writer.write(window(number), "node", given.slice(start, 9))
        writer.commit(window(number), proofs(given))
        writer.close()
        mark(number + 1)  # in history, the ledger is written when a task is over


def live(sink, known):
    number, receipt = known or (0, {})
    writer = sink.open({"node": OF})
    writer.resume(window(number), receipt)
    start = receipt["node"]["rows"] if receipt else 0
    while number < DAYS:
        given = rows(number)
        for begin in range(start, ROWS, SEGMENT):
            writer.write(window(number), "node", given.slice(begin, SEGMENT))
            mark((number, writer.append(window(number), ["node"])))
        writer.finish(window(number), proofs(given))
        number, start = number + 1, 0
        mark((number, {}))
    writer.close()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step, left):
    """Have the process kill itself at a step."""

    def _counted(then):
        def _now(*given, **named):
            nonlocal left
            left -= 1
            return then(*given, **named)

        return _now

    def before(place, name):
        do = getattr(place, name)
        setattr(place, name, _counted(lambda *a, **k: do(*a, **k) if left >= 0 else die()))

    def after(place, name):
        do = getattr(place, name)
        setattr(place, name, _counted(lambda *a, **k: (do(*a, **k), left < 0 and die())[0]))

    def half(place, name):
        do = getattr(place, name)

        def _half(file, text):
            do(file, text if left >= 0 else text[: len(text) // 2])
            if left < 0:
                die()

        setattr(place, name, _counted(_half))

    def packing():
        def _half(_source, file, _packing):
            file.write(b"half")
            file.flush()
            die()

        do = growing.pack
        growing.pack = _counted(lambda *a: do(*a) if left >= 0 else _half(*a))

    {
        "never": lambda: None,
        "begun": lambda: after(tails.Tails, "_next"),
        "rows": lambda: before(growing.journal, "append"),
        "torn": lambda: half(journal, "_write"),
        "noted": lambda: after(growing.journal, "append"),
        "packing": packing,
        "packed": lambda: before(growing.Aside, "take_place"),
        "published": lambda: after(growing.Aside, "take_place"),
        "renaming": lambda: before(Path, "rename"),
        "renamed": lambda: after(Path, "rename"),
    }[step]()


def main(way, path, packing, step, time, known):
    arm(step, int(time))
    sink = Csv(path=Path(path), rotate="2 KB", compression=packing)
    {"history": history, "live": live}[way](sink, json.loads(known))


if __name__ == "__main__":
    main(*sys.argv[1:])
