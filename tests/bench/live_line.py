"""Receives the frames of `live_serve.py` by one of some ways; prints what each frame cost.

Called with an address, the way (`line`, `recv`, `recv_data`) and how many frames come.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import websocket

from werks.live.line import Line

_WAIT = 10.0


def _line(url: str, frames: int) -> int:
    line, got, size = Line(url), 0, 0
    while got < frames:
        messages = line.receive(_WAIT)
        got += len(messages)
        size += sum(map(len, messages))
    return size


def _recv(url: str, frames: int) -> int:
    """Receive as its examples do: text, checked to be UTF-8."""
    connection = websocket.create_connection(url)
    return sum(len(connection.recv()) for _ in range(frames))


def _recv_data(url: str, frames: int) -> int:
    """Receive bytes, unchecked: the fastest that it offers."""
    connection = websocket.create_connection(
        url, skip_utf8_validation=True, enable_multithread=False
    )
    return sum(len(connection.recv_data()[1]) for _ in range(frames))


_WAYS: dict[str, Callable[[str, int], int]] = {
    "line": _line,
    "recv": _recv,
    "recv_data": _recv_data,
}


def main() -> None:
    """Receive, and print frames, bytes, seconds of CPU and on the clock."""
    url, way, frames = sys.argv[1], _WAYS[sys.argv[2]], int(sys.argv[3])
    began, started = time.process_time(), time.perf_counter()
    size = way(url, frames)
    found: dict[str, Any] = {
        "frames": frames,
        "size": size,
        "cpu": time.process_time() - began,
        "wall": time.perf_counter() - started,
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
