"""The proof of a window's rows, kept in a small file beside them."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import attrs

from werks.components import Proof, Window
from werks.errors import SinkError

from .disk import Aside, naming


def prepare(path: Path, root: Path, about: tuple[Window, str], proof: Proof) -> Aside:
    """Return the file of a window's and node's proof, written aside and durable."""
    window, node = about
    # Names of folders are escaped, so the names themselves stand in the file.
    names = {"exchange": window.exchange, "symbol": window.symbol, "window": window.name}
    content = {**names, "node": node, **attrs.asdict(proof)}
    with naming(path):
        aside = Aside(path, root)
        try:
            aside.file.write(json.dumps(content, indent=1).encode() + b"\n")
            aside.settle()
        except BaseException:
            aside.drop()
            raise
    return aside


def load(path: Path) -> tuple[Window, Proof] | None:
    """Return the window and the proof of its rows that are kept in a file; None if there is none.

    SinkError, naming the file, if it cannot be read.
    """
    with naming(path):
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        found = json.loads(content)
        proof = _proof(found)
        day = None if found["window"] == "open" else date.fromisoformat(found["window"])
        return Window(found["exchange"], found["symbol"], day), proof
    except (ValueError, KeyError, TypeError) as error:
        raise SinkError(
            f"{path} is damaged: {error}; remove it, then run again to have the day written anew"
        ) from error


def _proof(found: dict[str, Any]) -> Proof:
    if not isinstance(found["sums"], dict):
        raise TypeError("its sums are no object")
    return Proof(**{field.name: found[field.name] for field in attrs.fields(Proof)})
