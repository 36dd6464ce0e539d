"""What the sink `s3` sends in a second, against the bare client: the same files, server and parts.

Run by itself it prints the ratio; `figures` returns what was measured. The server runs on the same
cores, so a round of one follows a round of the other.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import obstore
import pyarrow as pa

from werks.components import Window
from werks.proof import Digest
from werks.schema import Scales, batch, schema, word
from werks_sinks.s3 import S3

SERVER = Path(__file__).parents[2] / "sinks/tests/s3_server.py"
OF = schema("TRADE", Scales(1, 8))
PART = 8 << 20
_ROWS = 1 << 16


@attrs.frozen
class Spent:
    """Seconds of a round: on the clock, of this process's processor, of the server's, too."""

    wall: float
    own: float
    all: float


@attrs.frozen
class Figures:
    """Bytes, and what each round took the bare client and the sink."""

    bytes: int
    bare: tuple[Spent, ...]
    sink: tuple[Spent, ...]

    @property
    def speed(self) -> float:
        """Return the sink's speed as a part of the bare client's, each in the same round."""
        pairs = zip(self.bare, self.sink, strict=True)
        return median(bare.wall / ours.wall for bare, ours in pairs)

    @property
    def work(self) -> float:
        """Return the same by processor time, the server's too: what is left when cores are short.

        It does not depend on what else runs on the machine.
        """
        return median(spent.all for spent in self.bare) / median(spent.all for spent in self.sink)


def figures(files: int = 5, megabytes: int = 40, rounds: int = 5) -> Figures:
    """Measure some files of a size, several rounds."""
    servers = _servers()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with servers.serving(place / "server") as server:
            server.make_bucket(servers.BUCKET)
            options = {**server.options("bench"), "timeout": 60.0, "part_size": "8 MiB"}
            sink = S3(**options, path=place / "spool", upload="at 00:00")
            _fill(sink, files, megabytes)
            bare: list[Spent] = []
            ours: list[Spent] = []
            store = server.client(servers.BUCKET)
            for number in range(rounds):
                paths = sorted((place / "spool").rglob("*.feather"))
                size = sum(path.stat().st_size for path in paths)
                kept = place / "kept"
                shutil.copytree(place / "spool", kept, copy_function=os.link)
                _empty(store)
                bare.append(_timed(server, partial(_bare, store, paths, number)))
                _empty(store)
                ours.append(_timed(server, sink.send))
                shutil.rmtree(place / "spool")
                kept.rename(place / "spool")
            return Figures(size, tuple(bare), tuple(ours))


def _bare(store: Any, paths: list[Path], number: int) -> None:
    for path in paths:
        obstore.put(store, f"bare/{number}/{path.name}", path, chunk_size=PART)


def _empty(store: Any) -> None:
    keys = [meta["path"] for metas in obstore.list(store) for meta in metas]
    if keys:
        obstore.delete(store, keys)


def _timed(server: Any, act: Callable[[], object]) -> Spent:
    wall, own, theirs = time.perf_counter(), time.process_time(), server.processor
    act()
    own = time.process_time() - own
    return Spent(time.perf_counter() - wall, own, own + server.processor - theirs)


def _fill(sink: S3, files: int, megabytes: int) -> None:
    """Leave files of about a size waiting; ids of random bytes take 39 bytes a row."""
    writer = sink.open({"trades": OF})
    for day in range(1, files + 1):
        window, digest = Window("bench", "XBTUSD", date(2024, 5, day)), Digest(OF)
        for _ in range((megabytes << 20) // (39 * _ROWS)):
            rows = _noise()
            digest.add(rows)
            writer.write(window, "trades", rows)
        writer.commit(window, {"trades": digest.proof()})
    writer.close()


def _noise() -> pa.RecordBatch:
    text = os.urandom(32 * _ROWS).hex()
    ids = pa.array([text[64 * n : 64 * n + 64] for n in range(_ROWS)])
    names = {"exchange": word("bench", _ROWS), "symbol": word("XBTUSD", _ROWS)}
    return batch(OF, **names, timestamp=pa.array(range(_ROWS), OF.field(2).type), trade_id=ids)


def _servers() -> Any:
    spec = spec_from_file_location("s3_server", SERVER)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    found = figures()
    for name, rounds in (("bare client", found.bare), ("sink s3", found.sink)):
        speeds = ", ".join(f"{found.bytes / 1e6 / spent.wall:.0f}" for spent in rounds)
        used = median(spent.own for spent in rounds), median(spent.all for spent in rounds)
        sys.stdout.write(f"{name:12} {speeds} MB/s; processor {used[0]:.2f} s, with the server's ")
        sys.stdout.write(f"{used[1]:.2f} s\n")
    sys.stdout.write(f"speed {found.speed:.2f} of the bare client's; work {found.work:.2f}\n")
