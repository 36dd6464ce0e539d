"""Where the program meets the terminal and the system, for all commands alike."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EPIPE
from pathlib import Path

import click

from ..errors import foreign


def prepare() -> None:
    """Set up what must stand before anything else is loaded or said."""
    # Arrow reads it when it is loaded; the pool it would choose gives less memory back.
    if sys.platform == "linux":
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed by whoever started this program
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            # A terminal that knows no UTF-8 shows a question mark; the work goes on.
            stream.reconfigure(errors="replace")


@contextmanager
def said() -> Iterator[None]:
    """Say in a line what has ended a command in its middle."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("stopped: what was committed stays", err=True)
    except (EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno == EPIPE:
            raise  # click knows that nobody reads any more
        click.echo(f"error: {foreign('werks', error)}", err=True)
    else:
        return
    sys.exit(1)
