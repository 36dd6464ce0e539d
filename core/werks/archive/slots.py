"""Memory that two processes share, through which one hands batches to the other without a pipe.

Who takes a batch reads it where it lies. Its slot is free again once nothing refers to it there.
Who makes batches waits for a free slot, unless the other one waits for him: then all slots are in
use for long, and the batch must go another way.
"""

import contextlib
import mmap
import os
import select
from io import FileIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# How many batches may be on their way or in use, and the largest that goes into a slot.
SLOTS, _BYTES = 4, 12 << 20
# What comes with a batch: its schema and the words of its columns.
_ROOM = 1 << 18
# A byte from the taker is a free slot, or this and the last digits of how many he has taken.
_WAITS, _DIGITS = 0x80, 0x7F


class Slots:
    """The memory, and a pipe from the taker to the maker; made before the process is forked."""

    def __init__(self) -> None:
        self._memory = np.frombuffer(mmap.mmap(-1, SLOTS * _BYTES), np.uint8)
        heard, tell = os.pipe()
        self._heard, self._tell = FileIO(heard, "r"), FileIO(tell, "w")
        self._free = list(range(SLOTS))
        self._waits = -1

    def make(self) -> None:
        """Be the maker's side."""
        self._tell.close()

    def take(self) -> None:
        """Be the taker's side."""
        self._heard.close()

    def put(self, batch: pa.RecordBatch, sent: int) -> tuple[int, int] | None:
        """Write a batch into a free slot; return (slot, bytes), None if it must go another way.

        `sent` is how many batches went before. EOFError if the taker has gone.
        """
        if batch.nbytes + _ROOM > _BYTES:
            return None
        while ready(self._heard) or not self._free:
            self._hear()
            if not self._free and self._waits == sent & _DIGITS:
                return None
        slot = self._free.pop()
        place = self._memory[slot * _BYTES : (slot + 1) * _BYTES]
        with pa.FixedSizeBufferWriter(pa.py_buffer(place)) as out:
            with pa.ipc.new_stream(out, batch.schema) as stream:
                stream.write_batch(batch)
            return slot, out.tell()

    def _hear(self) -> None:
        said = self._heard.read(SLOTS)
        if not said:
            raise EOFError
        for each in said:
            if each & _WAITS:
                self._waits = each & _DIGITS
            else:
                self._free.append(each)

    def wait(self, taken: int) -> None:
        """Say that the taker waits, who has taken so many batches."""
        with contextlib.suppress(BrokenPipeError):  # which shows where the batches come from
            self._tell.write(bytes([_WAITS | taken & _DIGITS]))

    def get(self, slot: int, size: int) -> pa.RecordBatch:
        """Return the batch of a slot."""
        begin = self._memory.ctypes.data + slot * _BYTES
        buffer = pa.foreign_buffer(begin, size, _Lease(slot, self._memory, self._tell))
        return pa.ipc.open_stream(buffer).read_next_batch()

    def close(self) -> None:
        """Say no more; batches that are in use stay good."""
        self._tell.close()


class _Lease:
    """What keeps a slot as long as Arrow keeps this."""

    def __init__(self, slot: int, memory: npt.NDArray[np.uint8], tell: FileIO) -> None:
        self._slot, self._memory, self._tell = slot, memory, tell

    def __del__(self) -> None:
        if not self._tell.closed:
            with contextlib.suppress(BrokenPipeError):  # the maker has gone
                self._tell.write(bytes([self._slot]))


def ready(file: FileIO) -> bool:
    """Tell whether there is something to be read."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
