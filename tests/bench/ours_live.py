"""Times feeds on frames in memory, to Arrow batches; prints frames a second of CPU."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from live_frames import feed_of

from werks.http import Http

_FLUSH = 4096
_LEAST, _PASSES = 0.3, 3
_RECEIVED = 1_704_110_400_000_000_000


def batches(name: str, given: dict[str, Any]) -> Callable[[], list[pa.RecordBatch]]:
    """Return what reads all frames on a new connection and makes rows every so many frames."""
    feed, symbols = feed_of(name), [given["symbol"]]
    answers = [text.encode() for text in given["answers"]]
    frames = [text.encode() for text in given["frames"]]

    def read() -> list[pa.RecordBatch]:
        conversation = feed.converse(Http(), symbols)
        list(conversation.opened())
        for text in answers:
            conversation.heard(text, _RECEIVED)
        made: list[pa.RecordBatch] = []
        heard = conversation.heard
        for start in range(0, len(frames), _FLUSH):
            for frame in frames[start : start + _FLUSH]:
                heard(frame, _RECEIVED)
            made += conversation.rows()
        return made

    return read


def speed(read: Callable[[], Any], frames: int) -> float:
    """Return frames a second of CPU, by the fastest of some passes.

    On a machine that is shared, time that others take counts as ours.
    """
    taken: list[float] = []
    while len(taken) < _PASSES or sum(taken) < _LEAST:
        began = time.process_time()
        read()
        taken.append(time.process_time() - began)
    return frames / min(taken)


def summed(made: Sequence[pa.RecordBatch]) -> str:
    """Return the sum of all sizes."""
    found: Decimal = pc.sum(pa.Table.from_batches(made)["size"]).as_py()
    return format(found.normalize(), "f")


def main() -> None:
    """Measure all kinds of a file of frames."""
    found = {}
    for name, given in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")).items():
        read = batches(name, given)
        made = read()
        rows = sum(map(len, made))
        assert rows == given["rows"], (name, rows)
        rate = speed(read, len(given["frames"]))
        found[name] = {"rows": rows, "sum": summed(made), "speed": rate}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
