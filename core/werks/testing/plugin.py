"""Fixtures that pytest offers wherever `werks[testing]` is installed; nothing but fixtures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..http import Http
    from .loopback import Loopback

_ASSERTING = (
    *("archive", "candles", "feed", "history", "listening", "rest", "shelf", "sink", "snapshot"),
    *("streams", "talk", "tape", "transform"),
)
# The kit's asserts say what they compared, as those of a test file do.
pytest.register_assert_rewrite(*(f"werks.testing.{name}" for name in _ASSERTING))


@pytest.fixture
def loopback() -> "Iterator[Loopback]":
    """Return a running server on 127.0.0.1 that publishes what a test puts there."""
    from .loopback import Loopback

    with Loopback() as server:
        yield server


@pytest.fixture(scope="session")
def http() -> "Iterator[Http]":
    """Return the core's HTTP client; it tries twice and does not wait in between."""
    from ..http import Http

    with Http(tries=2, sleep=lambda _: None) as client:
        yield client


@pytest.fixture(scope="session")
def captures(pytestconfig: pytest.Config) -> Path:
    """Return the folder of real recordings, `../shared/captures` seen from the project's root."""
    root = pytestconfig.rootpath
    for folder in (root, *root.parents):
        if (found := folder / "shared" / "captures").is_dir():
            return found
    pytest.skip(f"there is no folder shared/captures beside {root.name} or above it")
