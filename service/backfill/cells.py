"""Cells of a tool's log as trimmed text, numbers and lengths of time; what does not read becomes a fault of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.importing.arrow import floats
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from service.backfill.jobs import Batch, Cells

_CLOCK: Final = r"^(?:(?P<days>\d{1,6})-)?(?:(?P<hours>\d{1,6}):)?(?P<minutes>\d{1,6}):(?P<seconds>\d{1,2}(?:\.\d{1,6})?)$"
SECONDS_OF: Final = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


class Columns:
    """The columns of a batch by name, whatever the case, and the faults of its rows; the first fault of a row stands."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.count: int = batch.num_rows
        self.faults: dict[int, str] = {}
        self._names = {name.strip().lower(): place for place, name in reversed(list(enumerate(batch.schema.names)))}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def cells(self, name: str) -> Cells | None:
        """A column as it is, None where the file has no such column."""
        place = self._names.get(name.lower())
        return None if place is None else self.batch.column(place)

    def texts(self, name: str) -> Cells:
        """A column as Arrow text without blanks around it; empty where a cell is absent or the file has no such column."""
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import compute  # noqa: PLC0415 - heavy

        cells = self.cells(name)
        if cells is None:
            return pa.array([""], pa.string()).take(pa.array(np.zeros(self.count, np.int32)))
        if pa.types.is_nested(cells.type):
            raise refused(f"column {name}", f"is of type {cells.type} and should be text")
        return compute.fill_null(compute.utf8_trim_whitespace(cells.cast(pa.string())), "")

    def numbers(self, name: str, *, missing: str | None = None) -> NDArray[np.float64]:
        """A column of numbers, NaN where a cell is empty or no number; `missing` is the fault of an empty cell, None if it may be."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        cells = self.cells(name)
        if cells is None:
            return np.full(self.count, np.nan)
        if pa.types.is_nested(cells.type):
            raise refused(f"column {name}", f"is of type {cells.type} and should be a number")
        found, known = floats(cells, name)
        known = known & np.isfinite(found)
        if not known.all():
            texts = self.texts(name)
            empty = equals(texts, "")
            self.fault(~known & ~empty, lambda row: f"column {name}: {shown(texts[row].as_py())} is not a number")
            if missing is not None:
                self.fault(empty, lambda _: f"column {name}: {missing}")
        return np.where(known, found, np.nan)

    def fault(self, wrong: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        """Give a fault to each row that is wrong and has none yet."""
        for row in np.flatnonzero(wrong).tolist():
            if row not in self.faults:
                self.faults[row] = reason(row)

    def fault_all(self, reasons: Mapping[int, str], column: str) -> None:
        """Give these faults of a column to the rows that have none yet."""
        for row, reason in reasons.items():
            self.faults.setdefault(row, f"column {column}: {reason}")

    def sound(self) -> NDArray[np.bool_]:
        """Which rows have no fault."""
        good = np.ones(self.count, np.bool_)
        good[list(self.faults)] = False
        return good


def equals(texts: Cells, word: str) -> NDArray[np.bool_]:
    """Which texts are this word."""
    from pyarrow import compute  # noqa: PLC0415 - heavy

    found: NDArray[np.bool_] = compute.equal(texts, word).to_numpy(zero_copy_only=False)
    return found


def matches(texts: Cells, pattern: str) -> NDArray[np.bool_]:
    """Which texts match a pattern somewhere."""
    from pyarrow import compute  # noqa: PLC0415 - heavy

    found: NDArray[np.bool_] = compute.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


def is_one_of(texts: Cells, words: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts are one of these words, small or capital."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    values = pa.array([form for word in words for form in (word, word.lower(), word.upper(), word.capitalize())], pa.string())
    found: NDArray[np.bool_] = compute.is_in(texts, value_set=values).to_numpy(zero_copy_only=False)
    return found


def parts_of(texts: Cells, pattern: str) -> Any:  # noqa: ANN401 - an Arrow struct array
    """The named groups of a pattern for each text, null where it does not match."""
    from pyarrow import compute  # noqa: PLC0415 - heavy

    return compute.extract_regex(texts, pattern)


def part_numbers(parts: Any, name: str) -> NDArray[np.float64]:  # noqa: ANN401 - as above
    """One group of `parts_of` as numbers: 0 where it is absent, NaN where the text did not match."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    texts = compute.struct_field(parts, name)
    texts = compute.if_else(compute.equal(texts, ""), "0", texts)
    found: NDArray[np.float64] = compute.fill_null(texts.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    return found


def clock_seconds(texts: Cells) -> NDArray[np.float64]:
    """Lengths of time that are written [days-]hours:minutes:seconds, NaN for another text. [s]"""
    encoded = texts.dictionary_encode()
    parts = parts_of(encoded.dictionary, _CLOCK)
    seconds: NDArray[np.float64] = np.sum([part_numbers(parts, name) * seconds for name, seconds in SECONDS_OF.items()], axis=0)
    return seconds[encoded.indices.to_numpy()] if len(seconds) else seconds
