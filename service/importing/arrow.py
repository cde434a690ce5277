"""Arrow columns of any sensible type as numpy: words, numbers and instants, and which cells are there at all.

A column of words that repeat is looked at word by word, not row by row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np

from gridgram.interval import parse_time, to_microseconds
from service.importing.faults import refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cells: TypeAlias = Any
"""An Arrow array; pyarrow ships no types."""
ArrowType: TypeAlias = Any
T = TypeVar("T", bound=np.generic)

_STAMP: Final = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
_ZONED: Final = _STAMP + r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)$"
_NAIVE: Final = _STAMP + "$"
_NUMBER: Final = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?$"


def text_of(cell: object) -> str:
    """The text of a cell without the blanks around it; none is empty."""
    return "" if cell is None else str(cell).strip()


def distinct(cells: Cells, column: str) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct cells of a column of words, and for each row its place among them. InvalidInput for another type."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    if pa.types.is_dictionary(cells.type):
        kind = cells.type.value_type
    else:
        kind, cells = cells.type, cells.dictionary_encode()
    if not (_is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise refused(f"column {column}", f"is of type {kind} and should be text")
    words = [("true" if word else "false") if isinstance(word, bool) else word for word in cells.dictionary.to_pylist()]
    place = compute.fill_null(cells.indices.cast(pa.int64()), len(words)).to_numpy(zero_copy_only=False)
    return [*words, None], place


def _is_text(kind: ArrowType) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_dictionary(cells: Cells) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return bool(pa.types.is_dictionary(cells.type))


def _by_word(cells: Cells, of_words: NDArray[T], *, missing: float) -> NDArray[T]:
    """What holds for each row, from what holds for each word of the dictionary."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    place = cells.indices.cast(pa.int64()).fill_null(len(of_words)).to_numpy(zero_copy_only=False)
    rows: NDArray[T] = np.append(of_words, np.array([missing], of_words.dtype))[place]
    return rows


def is_empty(cells: Cells) -> NDArray[np.bool_]:
    """Which cells are absent, or text without anything but blanks."""
    from pyarrow import compute  # noqa: PLC0415 - heavy

    if _is_dictionary(cells):
        return _by_word(cells, is_empty(cells.dictionary), missing=True)
    empty = compute.is_null(cells)
    if _is_text(cells.type):
        empty = compute.or_(empty, compute.fill_null(compute.equal(compute.utf8_trim_whitespace(cells), ""), True))
    found: NDArray[np.bool_] = empty.to_numpy(zero_copy_only=False)
    return found


def floats(cells: Cells, column: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers of a column as float64, and which cells are numbers at all."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    if _is_dictionary(cells):
        numbers, known = floats(cells.dictionary, column)
        return _by_word(cells, numbers, missing=np.nan), _by_word(cells, known, missing=False)
    kind = cells.type
    if _is_text(kind):
        try:
            numbers = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            trimmed = compute.utf8_trim_whitespace(cells)
            is_number = compute.match_substring_regex(trimmed, _NUMBER)
            numbers = compute.if_else(is_number, trimmed, None).cast(pa.float64())
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        numbers = cells.cast(pa.float64(), safe=False)
    else:
        raise refused(f"column {column}", f"is of type {kind} and should be a number in g/kWh")
    valid: NDArray[np.bool_] = numbers.is_valid().to_numpy(zero_copy_only=False)
    values = compute.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False)
    return values + 0.0, valid


def instants(
    cells: Cells,
    column: str,
    *,
    assume_utc: bool,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The instants of a column in microseconds since 1970, and which cells are instants at all."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    words = cells if _is_dictionary(cells) else None
    kind = cells.dictionary.type if words is not None else cells.type
    if pa.types.is_timestamp(kind):
        if words is not None:
            cells = words.dictionary_decode()
        if kind.tz is None and not assume_utc:
            return np.zeros(len(cells), np.int64), np.zeros(len(cells), np.bool_)
        return _scaled(cells, kind.unit)
    if not _is_text(kind):
        raise refused(f"column {column}", f"is of type {kind} and should be a timestamp or RFC 3339 text")
    if words is None:
        words = cells.dictionary_encode()
    moments, known = _parsed(words.dictionary, assume_utc=assume_utc)
    return _by_word(words, moments, missing=0), _by_word(words, known, missing=False)


def _scaled(cells: Cells, unit: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    known = cells.is_valid().to_numpy(zero_copy_only=False)
    ticks = cells.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    if unit == "ns":
        return ticks // 1000 + (ticks % 1000 != 0), known
    factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    bound = (1 << 62) // factor
    return np.clip(ticks, -bound, bound) * factor, known


def _parsed(words: Cells, *, assume_utc: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Instants from distinct texts: all at once where they are written alike, else one by one."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    for pattern, zone in ((_ZONED, "UTC"), (_NAIVE, None)):
        if (zone or assume_utc) and len(words) and compute.all(compute.match_substring_regex(words, pattern)).as_py():
            try:
                return _scaled(words.cast(pa.timestamp("us", zone)), "us")
            except pa.ArrowInvalid:
                break
    moments = np.zeros(len(words), np.int64)
    known = np.zeros(len(words), np.bool_)
    for place, word in enumerate(words.to_pylist()):
        text = (word or "").strip().replace(" ", "T", 1)
        if assume_utc and re.fullmatch(_NAIVE, text, re.ASCII):
            text += "Z"
        try:
            moments[place] = to_microseconds(parse_time(text))
        except ValueError:
            continue
        known[place] = True
    return moments, known
