"""What is wrong with a file of hours: a place and a sentence each, a hundred listed, all counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridgram.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

MAX_LISTED: Final = 100
CELL_SHOWN: Final = 40
"""No more of a cell than this is repeated in a fault. [characters]"""


class Faults:
    """Collects the faults of one file; `unit` is what its places count: "line" or "row"."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.count = 0
        self._listed: list[tuple[int, Fault]] = []

    def add(self, line: int, column: str, detail: str) -> None:
        """Note one fault; `column` may be empty."""
        self.count += 1
        if len(self._listed) < MAX_LISTED:
            self._listed.append((line, Fault(f"{self.unit} {line}, column {column}" if column else f"{self.unit} {line}", detail)))

    def add_where(self, bad: NDArray[np.bool_], lines: NDArray[np.int64], column: str, describe: Callable[[int], str]) -> None:
        """Note a fault for each row that is bad; only those that are listed are described."""
        places = bad.nonzero()[0]
        room = max(0, MAX_LISTED - len(self._listed))
        for place in places[:room]:
            self.add(int(lines[place]), column, describe(int(place)))
        self.count += len(places[room:])

    @property
    def listed(self) -> tuple[Fault, ...]:
        """The faults noted first, a hundred at most, by their place in the file."""
        return tuple(fault for _, fault in sorted(self._listed, key=lambda entry: entry[0]))


def shown(cell: object) -> str:
    """A cell as a fault repeats it: quoted, cut, without control characters."""
    text = str(cell)
    return repr(text if len(text) <= CELL_SHOWN else f"{text[:CELL_SHOWN]}...")


def refused(pointer: str, detail: str) -> InvalidInput:
    """The error for a file that cannot be read at all."""
    return InvalidInput([Fault(pointer, detail)])
