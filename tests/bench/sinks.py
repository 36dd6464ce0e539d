"""The sinks: files against pyarrow's own writers, sizes on a real day, PostgreSQL and S3."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import sinks_s3
import sinks_sql
from place import Place
from table import show

from werks.components import File, Proof, Window
from werks.proof import Digest
from werks_sinks.csv import Csv
from werks_sinks.feather import Feather
from werks_sinks.parquet import Parquet

_DAY = date(2019, 10, 1)
_REAL = "bybit/archive-trading-BTCUSD2019-10-01.csv.gz"
_S3 = 0.8
_HEAD = ["", "M rows/s", "M rows/s of CPU", "÷ the peer", "by CPU", "goal", "met"]


def run(place: Place, rows: int, rounds: int) -> None:
    """Compare the file sinks with pyarrow on a day of `rows` trades, then the others."""
    _files(place, rows, rounds)
    _sizes(place)
    _postgres(rounds)
    _s3()


def _files(place: Place, rows: int, rounds: int) -> None:
    batches = list(_trades(place.day(rows), "BTCUSDT", "linear"))
    folder = place.scratch()
    proof = _proof(batches)
    cases: list[tuple[str, Callable[[], object], str, float]] = [
        ("feather", lambda: _ours(Feather(path=folder / "f"), batches, proof), "", 0),
        ("pyarrow, Arrow IPC zstd", lambda: _ipc(batches, folder / "f.arrow"), "feather", 0.8),
        ("csv", lambda: _ours(Csv(path=folder / "c"), batches, proof), "", 0),
        ("pyarrow, CSV of decimals", lambda: _csv(batches, folder / "c.csv"), "csv", 0.5),
        ("the core's proof of the rows", lambda: _proof(batches), "", 0),
    ]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in cases}
    for _ in range(rounds):
        for name, work, *_ in cases:
            # A run writes day after day: the first one, which is not measured, warms the memory.
            for _ in range(2):
                shutil.rmtree(folder)  # to replace a file takes the disk longer than a first load
                folder.mkdir()
                os.sync()  # what was written before is no one's work
                began = time.perf_counter(), time.process_time()
                work()
                spent = time.perf_counter() - began[0], time.process_time() - began[1]
            found[name].append(spent)
    place.clean()
    speed = {
        name: [rows / median(column) / 1e6 for column in zip(*each, strict=True)]
        for name, each in found.items()
    }
    lines = []
    for name, _, ours, goal in cases:
        cells = [f"{value:.2f}" for value in speed[name]]
        if ours:
            ratio, spent = (mine / its for mine, its in zip(speed[ours], speed[name], strict=True))
            met = "yes" if ratio >= goal else "NO"
            cells += [f"{ratio:.2f}", f"{spent:.2f}", f"≥ {goal:g}", met]
        lines.append([name, *cells, *[""] * (6 - len(cells))])
    show(f"files of {rows:,} trades, fsync on both sides, receipts on ours", _HEAD, lines)


def _trades(path: Path, symbol: str, market: str) -> Iterator[pa.RecordBatch]:
    """Yield the trades of a published day, oldest first as the file has them."""
    from werks.archive.unpack import ByteStream
    from werks_bybit import Trades

    door, file = Trades(market=market), File(path.name, _DAY, _DAY, (symbol,))
    with closing(ByteStream(path, path.name)) as stream:
        yield from door.read(file, stream, (symbol,))


def _proof(batches: list[pa.RecordBatch]) -> Proof:
    """Fold the proof of rows, as the core does while they pass; a sink is given it."""
    digest = Digest(batches[0].schema)
    for batch in batches:
        digest.add(batch)
    return digest.proof()


def _ours(sink: Any, batches: list[pa.RecordBatch], proof: Proof) -> None:
    schema, first = batches[0].schema, batches[0]
    window = Window(first["exchange"][0].as_py(), first["symbol"][0].as_py(), _DAY)
    with closing(sink.open({"trades": schema})) as writer:
        for batch in batches:
            writer.write(window, "trades", batch)
        writer.commit(window, {"trades": proof})


def _ipc(batches: list[pa.RecordBatch], path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, batches[0].schema, options=options) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    _sync(path)


def _csv(batches: list[pa.RecordBatch], path: Path) -> None:
    with pacsv.CSVWriter(str(path), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    _sync(path)


def _sync(path: Path) -> None:
    """Make a file outlast a power cut: what the disk takes for it is not the writer's."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sizes(place: Place) -> None:
    """Print what a real day takes in each store."""
    path = Path(__file__).parents[3] / "shared/captures" / _REAL
    if not path.exists():
        print("sizes: the recordings are not here")
        return
    batches = list(_trades(path, "BTCUSD", "inverse"))
    rows, folder = sum(map(len, batches)), place.scratch()
    lines = [["published csv.gz", f"{path.stat().st_size:,}"]]
    sinks = {
        "csv": Csv(path=folder / "csv"),
        "csv.gz": Csv(path=folder / "gz", compression="gz"),
        "feather": Feather(path=folder / "feather"),
        "parquet": Parquet(path=folder / "parquet"),
    }
    for name, sink in sinks.items():
        _ours(sink, batches, _proof(batches))
        files = [f for f in sink.path.rglob("*") if f.is_file() and f.parent.name != "_receipts"]
        lines.append([name, f"{sum(f.stat().st_size for f in files):,}"])
    lines.append(["postgres, indexes included", f"{sinks_sql.size(batches):,}"])
    shutil.rmtree(folder)
    lines = [[*line, f"{int(line[1].replace(',', '')) / rows:.1f}"] for line in lines]
    show(f"a real day of {rows:,} trades", ["", "bytes", "bytes a row"], lines)


def _postgres(rounds: int) -> None:
    found = {what: speeds for what, *speeds in sinks_sql.rows(rounds=rounds)}
    lines = []
    for what, against, goal in sinks_sql.GOALS:
        ours, theirs = found[what], found[against]
        ratio, spent = ours[0] / theirs[0], ours[1] / theirs[1]
        met = "yes" if ratio >= goal else "NO"
        cells = [f"{ours[0] / 1e3:,.0f}", f"{theirs[0] / 1e3:,.0f}", f"{ratio:.2f}", f"{spent:.2f}"]
        lines.append([f"{what} / {against}", *cells, f"≥ {goal:g}", met])
    head = ["", "k rows/s", "peer k rows/s", "ratio", "by CPU", "goal", "met"]
    show("PostgreSQL, numeric amounts and the key", head, lines)


def _s3() -> None:
    found = sinks_s3.figures()
    speeds = [
        found.bytes / 1e6 / median(spent.wall for spent in each)
        for each in (found.sink, found.bare)
    ]
    met = "yes" if found.speed >= _S3 else "NO"
    cells = [f"{speed:,.0f}" for speed in speeds]
    cells += [f"{found.speed:.2f}", f"{found.work:.2f}", f"≥ {_S3:g}", met]
    head = ["", "MB/s", "bare client MB/s", "ratio", "by CPU", "goal", "met"]
    show("S3, the same files, verified by size and checksum on our side", head, [["s3", *cells]])
