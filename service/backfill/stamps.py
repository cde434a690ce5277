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
"""Since 2000 every clock change fell on a whole quarter of an hour, in local time and in UTC."""
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


def localised(wall_us: NDArray[np.int64], zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """UTC from a wall clock of a zone [microseconds], and where that is sure: not where the clock skipped the time or showed it twice."""
    if zone.key == "UTC":
        return wall_us, np.ones(len(wall_us), np.bool_)
    quarters, place = np.unique(np.clip(wall_us, 0, MAX_WALL_US) // QUARTER_US, return_inverse=True)
    offset_us = np.empty(len(quarters), np.int64)
    is_sure = np.empty(len(quarters), np.bool_)
    for number, quarter in enumerate(quarters.tolist()):
        wall = (EPOCH + timedelta(microseconds=quarter * QUARTER_US)).replace(tzinfo=zone)
        first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
        offset_us[number] = (first or timedelta()) // timedelta(microseconds=1)
        is_sure[number] = first == second
    return wall_us - offset_us[place], is_sure[place]


def _fault(cell: object) -> str:
    if cell is None or not str(cell).strip():
        return "the time is missing"
    return f"{shown(cell)} is not a time; write it like 2022-03-11T00:00:00Z"
