"""Instants of a column, with or without an offset.

A naive one belongs to a named time zone; one that the zone's clock skipped or showed twice is told, not guessed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from gridgram.interval import EPOCH
from service.importing.arrow import instants
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUARTER_US: Final = 900_000_000
"""Walls are looked up by the quarter of an hour, in which clocks seldom change: Newfoundland's and Gaza's once did at 00:01."""
MINUTE_US: Final = 60_000_000
"""Since 2000 every clock change fell on a whole minute."""
MAX_WALL_US: Final = 7_258_118_400_000_000
"""The year 2200: no stamp after it is looked up. [microseconds]"""
_NAIVE_TEXT: Final = r"^\s*\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?\s*$"


def time_zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name. Raises InvalidInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise refused("--tz", f"{shown(name)} is no time zone; name it like Europe/Paris or UTC") from error


def stamps(cells: Any, column: str, zone: ZoneInfo | None) -> tuple[NDArray[np.int64], dict[int, str]]:  # noqa: ANN401 - an Arrow array
    """The instants of a column [microseconds since 1970, UTC], and what is wrong with single cells, by their place."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    is_text = not pa.types.is_timestamp(kind)
    moments, known = instants(cells, column, assume_utc=True)
    if not is_text and kind.tz is not None:
        is_naive = None
    elif not is_text:
        is_naive = known
    else:
        texts = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
        if known.all() and not compute.any(compute.match_substring_regex(texts, _NAIVE_TEXT)).as_py():
            return moments, {}
        is_naive = compute.fill_null(compute.match_substring_regex(texts, _NAIVE_TEXT), False).to_numpy(zero_copy_only=False)
    faults = {int(place): _fault(cells[int(place)].as_py()) for place in np.flatnonzero(~known)}
    if is_naive is None or not is_naive.any():
        return moments, faults
    if zone is None:
        reason = "the time {} has no offset; say which zone the file's clock was in with --tz, for example --tz Europe/Paris"
        return moments, faults | {int(place): reason.format(shown(cells[int(place)].as_py())) for place in np.flatnonzero(is_naive & known)}
    places = np.flatnonzero(is_naive & known)
    utc, is_sure = localised(moments[places], zone)
    moments = moments.copy()
    moments[places] = utc
    reason = "the clock of {} skipped {} or showed it twice; write it with its offset"
    doubtful = {int(place): reason.format(zone.key, shown(cells[int(place)].as_py())) for place in places[~is_sure]}
    return moments, faults | doubtful


def localised(wall_us: NDArray[np.int64], zone: ZoneInfo, cell_us: int = QUARTER_US) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """UTC from a wall clock of a zone [microseconds], and where that is sure: not where the clock skipped the time or showed it twice.

    What lies in one cell of so many microseconds is looked up together; where the clock changes inside one, minute by minute.
    """
    if zone.key == "UTC":
        return wall_us, np.ones(len(wall_us), np.bool_)
    cells, place = np.unique(np.clip(wall_us, 0, MAX_WALL_US) // cell_us, return_inverse=True)
    offset_us = np.empty(len(cells), np.int64)
    is_sure, is_even = np.empty((2, len(cells)), np.bool_)
    for number, cell in enumerate(cells.tolist()):
        first, second = _offsets(cell * cell_us, zone)
        offset_us[number] = first // timedelta(microseconds=1)
        is_sure[number] = first == second
        is_even[number] = cell_us == MINUTE_US or (first, second) == _offsets((cell + 1) * cell_us - MINUTE_US, zone)
    utc, sure = wall_us - offset_us[place], is_sure[place]
    changing = np.flatnonzero(~is_even[place])
    if len(changing):
        utc[changing], sure[changing] = localised(wall_us[changing], zone, MINUTE_US)
    return utc, sure


def _offsets(wall_us: int, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """How far a wall clock was ahead of UTC at this time, when it showed it first and when last."""
    wall = (EPOCH + timedelta(microseconds=wall_us)).replace(tzinfo=zone)
    return wall.utcoffset() or timedelta(), wall.replace(fold=1).utcoffset() or timedelta()


def _fault(cell: object) -> str:
    if cell is None or not str(cell).strip():
        return "the time is missing"
    return f"{shown(cell)} is not a time; write it like 2022-03-11T00:00:00Z"
