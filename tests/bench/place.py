"""Where the benchmarks keep what they make: days, environments of the peers, scratch folders."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

HERE = Path(__file__).parent
DAY = "2024-05-01"
NEXT_DAY = "2024-05-02"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
_VERSION = 1  # of the days; another one makes them anew
_NUMBERS = count(1)


@dataclass(frozen=True)
class Place:
    """A folder outside of the repository; it may be deleted at any time."""

    root: Path

    def day(self, rows: int, symbol: str = SYMBOLS[0]) -> Path:
        """Return a day's file with so many trades, made if it is not there."""
        path = self.archive / str(rows) / "trading" / symbol / f"{symbol}{DAY}.csv.gz"
        if not path.exists():
            print(f"making {path.name} with {rows:,} trades", file=sys.stderr)
            seed = str(1 + SYMBOLS.index(symbol))
            self.python("generate.py", str(path), "--symbol", symbol, "--rows", str(rows),
                        "--seed", seed)  # fmt: skip
        return path

    @property
    def archive(self) -> Path:
        """The folder that is served as the archive."""
        return self.root / f"days-{_VERSION}"

    @property
    def compiled(self) -> Path:
        """Where compiled modules go."""
        return self.root / "pycache"

    def scratch(self) -> Path:
        """Return an empty folder; those before the last few are gone."""
        number = next(_NUMBERS)
        folder = self.root / "scratch" / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def clean(self) -> None:
        """Remove all scratch folders."""
        shutil.rmtree(self.root / "scratch", ignore_errors=True)

    def python(self, script: str, *given: str) -> str:
        """Run a script of this folder by this Python and return what it prints."""
        command = [sys.executable, str(HERE / script), *given]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the archive by a process of its own and yield its address."""
        command = [sys.executable, str(HERE / "serve.py"), str(self.archive)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
            assert server.stdout
            assert server.stdin
            try:
                yield server.stdout.readline().strip()
            finally:
                server.stdin.close()


def default_root() -> Path:
    """Return the folder that is used unless another one is named."""
    return Path(tempfile.gettempdir()) / "werks-bench"


def pinned(core: int) -> list[str]:
    """Return what has a command run on one core, where that can be had."""
    there = shutil.which("taskset") is not None and (os.cpu_count() or 1) > core
    return ["taskset", "-c", str(core)] if there else []


def werks(*given: str) -> Sequence[str]:
    """Return the command that a user would type."""
    return [str(Path(sys.executable).parent / "werks"), *given]
