"""The pipeline that all contenders do the work of."""

from collections.abc import Sequence
from pathlib import Path

from place import DAY, NEXT_DAY

LEAST, EVERY = 50_000, 1_000_000

_FILE = """
[pipeline]
name = "bench"
state = "{folder}/werks.db"
{settings}

[sources.trades]
type = "bybit.trades"
symbols = [{symbols}]
start = {start}
stop = {stop}
archive_url = "{url}"

[transforms.ticks]
type = "aggregate"

[transforms.big]
type = "filter"
min_notional = {least}

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = {every}

[sinks.files]
type = "feather"
inputs = ["big", "minutes", "dollars"]
path = "{folder}/out"
"""


def write(folder: Path, url: str, symbols: Sequence[str], settings: str = "") -> Path:
    """Write the file into a folder, where its ledger and its rows go, too."""
    path = folder / "bench.toml"
    names = ", ".join(f'"{symbol}"' for symbol in symbols)
    text = _FILE.format(
        folder=folder.as_posix(),
        settings=settings,
        symbols=names,
        url=url,
        start=DAY,
        stop=NEXT_DAY,
        least=LEAST,
        every=EVERY,
    )
    path.write_text(text, encoding="utf-8")
    return path
