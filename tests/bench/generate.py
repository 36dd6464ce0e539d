"""Writes archive days as Bybit publishes its linear contracts: csv.gz, oldest first, random UUIDs.

Rows come in groups of one time and one taker's side, so that about 43 % of them merge into the row
before. The same arguments give the same bytes. Memory does not grow with the number of rows.
"""

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER = (
    b"timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    b"foreignNotional,RPI\n"
)
DAY_START = 1_714_521_600  # 2024-05-01
MERGED = 0.435  # a little more than 43 %: two groups may meet at one time, too
_MINUTES, _SLOTS = 1440, 600_000  # times have four decimals: slots of 0.1 ms in a minute
_CHUNK = 200_000
_START = 600_000  # the first price, in tenths
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)
_UUID = [place for place in range(36) if place not in (8, 13, 18, 23)]


def write_day(path: Path, symbol: str, rows: int, seed: int) -> None:
    """Write a day of so many trades, under a hidden name until it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as file:
        packed = zlib.compressobj(6, wbits=31)
        file.write(packed.compress(HEADER))
        for text in _texts(symbol, rows, seed):
            _pack(file, packed, text)
        file.write(packed.flush())
    aside.replace(path)


def _pack(file: BinaryIO, packed: Any, text: memoryview) -> None:
    for begin in range(0, len(text), 1 << 20):
        file.write(packed.compress(text[begin : begin + (1 << 20)]))


def _texts(symbol: str, rows: int, seed: int) -> Iterator[memoryview]:
    """Yield the lines of the day, some minutes at once."""
    random = np.random.default_rng(seed)
    weights = random.lognormal(0, 0.8, _MINUTES)
    minutes = random.multinomial(rows, weights / weights.sum())
    price, minute = _START, 0
    while minute < _MINUTES:
        taken, count = minute, 0
        while taken < _MINUTES and (taken == minute or count + minutes[taken] <= _CHUNK):
            count += int(minutes[taken])
            taken += 1
        if count:
            price, text = _lines(random, symbol, minutes[minute:taken], minute, price)
            yield text
        minute = taken


def _lines(random: Any, symbol: str, minutes: Any, first: int, price: int) -> tuple[int, Any]:
    """Return the last price and the text of the trades of some minutes."""
    count = int(minutes.sum())
    minute = np.repeat(np.arange(first, first + len(minutes)), minutes)
    new = random.random(count) >= MERGED
    new[0] = True
    group = np.cumsum(new) - 1
    slots = random.integers(0, _SLOTS, int(group[-1]) + 1) + minute[new] * _SLOTS
    slots.sort()
    sides = np.where(random.random(len(slots)) < 0.5, 1, -1)
    # A sweep eats its way through the book; between sweeps the price wanders by a tick.
    within = sides[group] * (random.random(count) < 0.3)
    steps = np.where(new, random.integers(-1, 2, count), within)
    prices = price + np.cumsum(steps)
    sizes = np.maximum(1, np.rint(random.lognormal(np.log(12), 1.7, count))).astype(np.int64)
    value = prices * 0.1 * (sizes * 0.001)
    cells = [
        _seconds(slots[group]),
        pa.scalar(symbol),
        pa.array(["Sell", "Buy"]).take(pa.array((sides[group] + 1) // 2)),
        _decimal(sizes, 3),
        _decimal(prices * 10, 2),
        _directions(steps),
        _uuids(random, count),
        pa.array(value * 1e8).cast(pa.string()),
        _decimal(sizes, 3),
        pa.array(value).cast(pa.string()),
        pa.array(["0", "1"]).take(pa.array((random.random(count) < 0.02).astype(np.int8))),
    ]
    lines = pc.binary_join_element_wise(*cells, ",")
    lines = pc.binary_join_element_wise(lines, pa.scalar("\n"), "")
    ends = np.frombuffer(lines.buffers()[1], np.int32, count + 1)
    return int(prices[-1]), memoryview(lines.buffers()[2])[: int(ends[-1])]


def _directions(steps: Any) -> pa.Array:
    """Return whether the price went up or down, or last did."""
    last = np.maximum.accumulate(np.where(steps != 0, np.arange(len(steps)), 0))
    names = pa.array(["PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"])
    return names.take(pa.array(2 * (steps[last] < 0) + (steps == 0)))


def _seconds(slots: Any) -> pa.Array:
    """Return times as Bybit writes them: up to four decimals, zeros at the end dropped."""
    whole = pa.array(DAY_START + slots // 10_000).cast(pa.string())
    rest = pa.array(10_000 + slots % 10_000).cast(pa.string())
    rest = pc.utf8_rtrim(pc.utf8_slice_codeunits(rest, 1), characters="0")
    return pc.utf8_rtrim(pc.binary_join_element_wise(whole, rest, "."), characters=".")


def _decimal(values: Any, scale: int) -> pa.Array:
    limbs = np.stack([values, values >> 63], axis=1).astype(np.int64)
    kind = pa.decimal128(38, scale)
    column = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(limbs)])
    return column.cast(pa.string())


def _uuids(random: Any, count: int) -> pa.Array:
    text = np.full((count, 36), ord("-"), np.uint8)
    text[:, _UUID] = _HEX[random.integers(0, 256, (count, 16), np.uint8)].view(np.uint8)
    ends = np.arange(count + 1, dtype=np.int32) * 36
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def main() -> None:
    """Write one day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write_day(given.path, given.symbol, given.rows, given.seed)


if __name__ == "__main__":
    main()
