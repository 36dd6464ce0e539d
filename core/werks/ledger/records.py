"""What the ledger tells of windows, commits, gaps and checks, as plain data."""

from datetime import date
from typing import Literal

import attrs

from ..components import Proof, Receipt, Stream

# `day`: a window that cannot be had; `ids`: trades that are left out; `mismatch`: minutes that
# differ from the exchange's candles.
GapKind = Literal["day", "ids", "mismatch"]
# Only suspected and open gaps count as such. `absent`: a full re-read does not know these rows.
GapStatus = Literal["suspected", "open", "repaired", "absent", "lost"]
COUNTED: tuple[GapStatus, ...] = ("suspected", "open")


@attrs.frozen
class Commit:
    """What a sink holds of a node's window: made by which options, from which state, until when.

    The receipt is the sink's own; the proof tells what the rows must be.
    """

    fingerprint: str
    began: str
    until: int
    receipt: Receipt
    proof: Proof | None = None


@attrs.frozen
class WindowRecord:
    """A window as it was read; `until` is in nanoseconds, the sums are exact decimal text.

    `joined` tells how it was proven that nothing lies between it and the window before: `ids` or
    `overlap`, empty where nothing proves it. `cursor` goes on with the rows behind it by REST.
    """

    stream: Stream
    day: date
    door: str
    url: str
    until: int
    finished: bool
    rows: int
    repeats: int
    holes: int | None
    size: str | None
    notional: str | None
    first_id: str | None
    last_id: str | None
    least_id: int | None = None
    most_id: int | None = None
    cursor: str | None = None
    joined: str = ""
    reason: str = ""
    verified: bool | None = None
    verified_why: str = ""


@attrs.frozen
class Gap:
    """Rows that are missing, or may be: why, how that is known, how many, and what came of it."""

    stream: Stream
    day: date
    kind: GapKind
    cause: str
    evidence: str = ""
    missing: int | None = None
    status: GapStatus = "open"
    attempts: int = 1


@attrs.frozen
class Difference:
    """A minute (its start in nanoseconds) in which a field differs from the exchange's candle."""

    minute: int
    field: str
    ours: str
    theirs: str
    reason: str = ""
