"""werks moves every trade of an exchange, exactly once, into files and databases.

This is the public door: what is named here, and the modules `werks.amounts`, `werks.schema` and
`werks.testing`, is what plugins and programs may lean on. A name is imported when it is first used,
so that `import werks` and `werks --help` cost next to nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ByteStream": "archive",
    "ChecksumError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "ExchangeError": "errors",
    "File": "components",
    "Graph": "pipeline",
    "MessageError": "errors",
    "MissingError": "errors",
    "Plan": "pipeline",
    "PluginError": "errors",
    "RateLimitError": "errors",
    "RejectedError": "errors",
    "Report": "pipeline",
    "Scales": "schema",
    "SinkError": "errors",
    "Stream": "components",
    "UnavailableError": "errors",
    "WerksError": "errors",
    "Window": "components",
    "blocks": "archive",
    "check": "archive",
    "hookimpl": "hookspecs",
    "hrefs": "archive",
    "load": "pipeline",
    "option": "components",
    "run": "pipeline",
    "s3_keys": "archive",
    "stamped": "archive",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'werks' has no attribute {name!r}")
    return getattr(importlib.import_module(f"werks.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
