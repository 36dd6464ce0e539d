import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from werks.archive import ByteStream
from werks.components import File
from werks.testing import Loopback


def _zipped(stem: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{stem}.csv", text)
    return packed.getvalue()


def _publish(loopback: Loopback, key: str, text: str) -> None:
    name = key.rsplit("/", 1)[-1]
    body = _zipped(name.removesuffix(".zip"), text)
    loopback.put(key, body)
    loopback.put(f"{key}.CHECKSUM", f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode())


@pytest.fixture
def publish() -> Callable[[Loopback, str, str], None]:
    """Return a function that puts a zip and its checksum at a key: (loopback, key, text)."""
    return _publish


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., pa.Table]:
    """Return a function that reads a day file's text: (component, stem of its name, text)."""

    def _read(component: Any, stem: str, text: str) -> pa.Table:
        symbol, _, day = stem.split("-", 2)
        start = date.fromisoformat(f"{day}-01"[:10])
        file = File(f"https://archive/{stem}.zip", start, start + timedelta(days=1), (symbol,))
        path = tmp_path / f"{stem}.zip"
        path.write_bytes(_zipped(stem, text))
        with ByteStream(path, file.url, ahead=False) as stream:
            batches = list(component.read(file, stream, file.symbols))
        return pa.Table.from_batches(batches, component.schema)

    return _read


@pytest.fixture(scope="session")
def xrpeth(captures: Path) -> list[dict[str, Any]]:
    """Return 12,477 aggregates of 2019-10-11 to 2019-10-13 as REST sent them."""
    path = captures / "binance" / "rest-spot-aggtrades-XRPETH-20191011-raw.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]
