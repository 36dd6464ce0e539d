"""What may happen to texts on their way: lost, doubled, out of order, cut off, late."""

from typing import Literal

import attrs

What = Literal["lose", "duplicate", "reorder", "mangle", "withhold", "delay"]
# The first befall what is said of rows, the others what is answered.
OF_ROWS: tuple[What, ...] = ("lose", "duplicate", "reorder", "mangle")
OF_ANSWERS: tuple[What, ...] = ("withhold", "delay")


@attrs.define
class Tamper:
    """A fault that befalls the next `left` texts of a connection, or of whichever speaks first."""

    what: What
    left: int
    line: int | None
    seconds: float = 0.0
    _held: list[str] = attrs.field(factory=list, init=False)

    def change(self, text: str) -> list[str]:
        """Return what is sent in place of a text about rows."""
        self.left -= 1
        if self.what == "reorder":
            self._held.append(text)
            return [] if self.left else self._held[::-1]
        if self.what == "duplicate":
            return [text, text]
        return [text[: len(text) // 2]] if self.what == "mangle" else []


@attrs.define
class Tampers:
    """The faults that were set and are not used up, each taken up in the order of their setting."""

    waiting: list[Tamper] = attrs.field(factory=list)

    def find(self, line: int, kinds: tuple[What, ...]) -> Tamper | None:
        """Return the fault that befalls the next text of a connection."""
        self.waiting = [each for each in self.waiting if each.left]
        for each in self.waiting:
            if each.what in kinds and each.line in (None, line):
                if each.what == "reorder":
                    each.line = line  # what it holds back is of this connection
                return each
        return None

    def rows(self, line: int, texts: list[str]) -> list[str]:
        """Return what is sent in place of texts about rows."""
        if not self.waiting:
            return texts
        sent: list[str] = []
        for text in texts:
            fault = self.find(line, OF_ROWS)
            sent += fault.change(text) if fault else [text]
        return sent

    def forget(self, line: int) -> None:
        """Take back the faults of a connection that has ended."""
        self.waiting = [each for each in self.waiting if each.line != line]
