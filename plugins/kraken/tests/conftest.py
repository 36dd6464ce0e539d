from collections.abc import Callable

import pytest

from werks.testing import Loopback

from .exchange import Exchange, error


@pytest.fixture
def exchange(loopback: Loopback) -> Exchange:
    """Return Kraken's REST interface on the loopback server."""
    return Exchange().open(loopback)


@pytest.fixture
def refusing() -> Callable[..., bytes]:
    """Return a function that makes an error body of Kraken's words, which comes with status 200."""
    return error
