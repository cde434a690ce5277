"""What each store does with one month before it writes: lay the new hours over the held ones and count what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.errors import StoreError
from gridgram.series import hours_changed, missing_series, overlay

if TYPE_CHECKING:
    from gridgram.interval import Month
    from gridgram.series import IntensitySeries


def lay_over(held: IntensitySeries | None, new: IntensitySeries, month: Month) -> tuple[IntensitySeries, int]:
    """The month after the new hours are laid over the held ones, if any, and how many hours differ.

    Raises StoreError for more different sources than a month can name.
    """
    before = missing_series(new.zone, new.signal, month.first_hour, month.hours) if held is None else held
    try:
        after = overlay(before, new)
    except ValueError as error:
        raise StoreError(f"{new.zone} {new.signal} {month} cannot be stored: {error}.") from error
    return after, hours_changed(before, after)


def span_of(series: IntensitySeries) -> tuple[int, int, int]:
    """The first hour that is present, the hour after the last one, and how many are."""
    present = series.quality.nonzero()[0]
    return series.first_hour + int(present[0]), series.first_hour + int(present[-1]) + 1, len(present)
