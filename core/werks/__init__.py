"""werks moves every trade of an exchange, exactly once, into files and databases.

This is the public door: what is named here is what plugins and programs may lean on. Names are
imported when they are first used, so that `import werks` and `werks --help` cost next to nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "BINARY": "",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'werks' has no attribute {name!r}")
    return getattr(importlib.import_module(f"werks.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
