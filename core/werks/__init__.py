"""werks moves every trade of an exchange, exactly once, into files and databases.

This is the public door: what is named here, and the modules `werks.amounts`, `werks.components`,
`werks.schema`, `werks.wire` and `werks.testing`, is what plugins and programs may lean on. A name
is imported when it is first used, so that `import werks` and `werks --help` cost next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archive import ByteStream, blocks, check, hrefs, s3_keys, stamped
    from .components import Continuity, File, Http, Stream, Window, option
    from .errors import (
        ChecksumError,
        ConfigError,
        DataError,
        ExchangeError,
        MessageError,
        MissingError,
        PluginError,
        RateLimitError,
        RejectedError,
        SinkError,
        UnavailableError,
        WerksError,
    )
    from .hookspecs import hookimpl
    from .pipeline import Graph, Plan, Reload, Report, Until, load, run
    from .schema import Scales

__version__ = "0.1.0"

_HOMES = {
    "ByteStream": "archive",
    "ChecksumError": "errors",
    "ConfigError": "errors",
    "Continuity": "components",
    "DataError": "errors",
    "ExchangeError": "errors",
    "File": "components",
    "Graph": "pipeline",
    "Http": "components",
    "MessageError": "errors",
    "MissingError": "errors",
    "Plan": "pipeline",
    "PluginError": "errors",
    "RateLimitError": "errors",
    "RejectedError": "errors",
    "Reload": "pipeline",
    "Report": "pipeline",
    "Scales": "schema",
    "SinkError": "errors",
    "Stream": "components",
    "UnavailableError": "errors",
    "Until": "pipeline",
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

__all__ = [
    "ByteStream",
    "ChecksumError",
    "ConfigError",
    "Continuity",
    "DataError",
    "ExchangeError",
    "File",
    "Graph",
    "Http",
    "MessageError",
    "MissingError",
    "Plan",
    "PluginError",
    "RateLimitError",
    "RejectedError",
    "Reload",
    "Report",
    "Scales",
    "SinkError",
    "Stream",
    "UnavailableError",
    "Until",
    "WerksError",
    "Window",
    "__version__",
    "blocks",
    "check",
    "hookimpl",
    "hrefs",
    "load",
    "option",
    "run",
    "s3_keys",
    "stamped",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'werks' has no attribute {name!r}")
    return getattr(importlib.import_module(f"werks.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
