"""Writes days of rows into an S3 sink and says when it begins, and when each is committed.

Usage: s3_child.py OPTIONS DAYS ROWS, where OPTIONS are those of the sink as JSON.
"""

import json
import sys
from datetime import date
from pathlib import Path

from werks.components import Window
from werks.testing.sink import SCHEMAS, prove, sample
from werks_sinks.s3 import S3


def main(options: str, days: str, rows: str) -> None:
    given = json.loads(options)
    writer = S3(**given | {"path": Path(given["path"])}).open(SCHEMAS)
    sys.stdout.write("0\n")
    sys.stdout.flush()
    for day in range(1, int(days) + 1):
        window = Window("bazaar", "XBTUSD", date(2024, 5, day))
        batch = sample("trades", window, rows=int(rows), seed=day)
        writer.write(window, "trades", batch)
        writer.commit(window, {"trades": prove("trades", batch)})
        sys.stdout.write(f"{day}\n")
        sys.stdout.flush()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
