"""Writes rows into a sink and ends as it is told.

Usage: child.py SINK PATH DAY ROWS END, where END is `commit`, `hold` (write, say so and wait to be
killed) or the number of bytes that a file may have.
"""

import resource
import sys
import time
from datetime import date
from importlib import import_module
from pathlib import Path

from werks.components import Window
from werks.errors import SinkError
from werks.testing.sink import SCHEMAS, prove, sample


def main(name: str, path: str, day: str, rows: str, end: str) -> None:
    offer = import_module(f"werks_sinks.{name}").werks_sinks()
    sink = offer[name](path=Path(path))
    if end.isdigit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(end), int(end)))
    window = Window("bazaar", "XBTUSD", date.fromisoformat(day))
    writer = sink.open(SCHEMAS)
    batch = sample("trades", window, rows=1000)
    try:
        for _ in range(int(rows) // 1000):
            writer.write(window, "trades", batch)
        proof = prove("trades", *[batch] * (int(rows) // 1000))
        sys.stdout.write("written\n")
        sys.stdout.flush()
        if end == "hold":
            time.sleep(60)
        writer.commit(window, {"trades": proof})
    except SinkError as error:
        writer.abort()
        sys.exit(f"SinkError: {error}")
    finally:
        writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
