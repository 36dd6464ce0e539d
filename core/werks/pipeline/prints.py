"""Fingerprints: whether what a sink holds of a node would still be the same."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs

from ..components import State


@attrs.frozen
class Prints:
    """The fingerprints of a branch's nodes and sinks, by name.

    They cover the options of a node and of all above it, and for sinks those of the sink.
    `carried` names, for each node, those at or above it that carry state over midnight.
    """

    fingerprints: Mapping[str, str]
    carried: Mapping[str, frozenset[str]]

    def of(self, node: str, sink: str) -> str:
        """Return the fingerprint of a node's rows in a sink."""
        both = self.fingerprints[node] + self.fingerprints[sink]
        return hashlib.sha256(both.encode()).hexdigest()

    def began(self, states: Mapping[str, State], before: tuple[bool, int | None]) -> dict[str, str]:
        """Return, by node, a digest of what is carried into a window; empty where nothing is.

        `before` is whether days are missing before it, and the greatest trade id before it.
        """
        digests = {}
        for node, carried in self.carried.items():
            what: Any = [[name, states.get(name)] for name in sorted(carried)]
            text = json.dumps([what, *before], sort_keys=True)
            digests[node] = hashlib.sha256(text.encode()).hexdigest() if carried else ""
        return digests


def digest(what: Any) -> str:
    """Return a hash of plain data."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
