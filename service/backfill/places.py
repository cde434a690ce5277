"""The places that jobs name: each text and signal resolved once, to a row of the tables of hours or to the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.errors import UnknownLocation
from gridgram.quality import Signal
from service.importing.arrow import distinct, text_of
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from service.backfill.jobs import Cells

MAX_UNKNOWN: Final = 10_000
"""With more texts than this that name no place, the column is none of locations."""
_SIGNALS: Final = {signal.value: signal for signal in Signal}


class Places:
    """Texts of locations and signals to numbers of (zone, signal), in the order in which they were met.

    `resolve` gives the key of a text's zone or raises UnknownLocation; None after the plan, when every text is known already.
    """

    def __init__(self, signal: Signal, resolve: Callable[[str], str] | None, known: Mapping[str, Any] | None = None) -> None:
        self._signal = signal
        self._resolve = resolve
        self.zones: list[tuple[str, Signal]] = [(zone, Signal(name)) for zone, name in (known or {}).get("zones", ())]
        self._numbers: dict[str, int] = dict((known or {}).get("numbers", {}))
        self._reasons: dict[str, str] = dict((known or {}).get("reasons", {}))

    def members(self) -> dict[str, Any]:
        """All that is known, as JSON."""
        return {"zones": [[zone, signal.value] for zone, signal in self.zones], "numbers": self._numbers, "reasons": self._reasons}

    def of(self, location: Cells, signal: Cells | None) -> tuple[NDArray[np.int64], Callable[[int], str]]:
        """The place of each job by its columns, -1 for none, and what tells the reason of a row that has none."""
        names, name_of = distinct(location, "location")
        signals: list[Any] = [None]
        signal_of = np.zeros(len(name_of), np.int64)
        if signal is not None:
            signals, signal_of = distinct(signal, "signal")
        pair_of = name_of * len(signals) + signal_of if len(signals) > 1 else name_of
        numbers = np.full(len(names) * len(signals), -1, np.int64)
        for pair in np.flatnonzero(np.bincount(pair_of, minlength=len(numbers))).tolist():
            numbers[pair] = self._number(text_of(names[pair // len(signals)]), text_of(signals[pair % len(signals)]))

        def reason(row: int) -> str:
            key = _key(text_of(names[name_of[row]]), text_of(signals[signal_of[row]]))
            return self._reasons.get(key, "the location is missing")

        return np.take(numbers, pair_of), reason

    def _number(self, location: str, signal_name: str) -> int:
        key = _key(location, signal_name)
        number = self._numbers.get(key)
        if number is not None:
            return number
        number = self._numbers[key] = self._new(key, location, signal_name)
        return number

    def _new(self, key: str, location: str, signal_name: str) -> int:
        signal = _SIGNALS.get(signal_name.lower(), self._signal if not signal_name else None)
        if signal is None:
            return self._refuse(key, f"{shown(signal_name)} is no signal; those are {', '.join(_SIGNALS)}")
        if not location:
            return self._refuse(key, "the location is missing; name one for such rows with --location")
        if self._resolve is None:
            return self._refuse(key, f"{shown(location)} was not there when the file was looked through; it has changed")
        try:
            zone = self._resolve(location)
        except UnknownLocation as error:
            return self._refuse(key, str(error)[:300])
        pair = zone, signal
        if pair not in self.zones:
            self.zones.append(pair)
        return self.zones.index(pair)

    def _refuse(self, key: str, reason: str) -> int:
        self._reasons[key] = reason
        if len(self._reasons) > MAX_UNKNOWN:
            raise refused("location", f"more than {MAX_UNKNOWN:,} different texts name no place; is this the column of locations?")
        return -1


def _key(location: str, signal: str) -> str:
    return f"{signal}\t{location}"
