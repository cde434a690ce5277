"""What every series store promises: months of hours in, the same hours out, or StoreError and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.interval import Month
    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds of one zone and one signal: so many hours, all inside [first_hour, end_hour)."""

    zone: str
    signal: Signal
    first_hour: int
    end_hour: int
    hours: int


class SeriesStore(Protocol):
    """Hours by zone, signal and UTC month. Every method may raise StoreError, after which answers go on without the store."""

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, whole and with explicit holes, or None where nothing is held.

        A chunk that cannot be read back exactly counts as not held: it is logged once and deleted.
        """
        ...

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held (`gridgram.series.overlay`), all or none of them; returns how many hours changed.

        What this returned for is committed. Hours that are held and say the same are not written again.
        """
        ...

    async def generation(self) -> int:
        """A number that changes whenever any process changed the store; only two answers of one store object compare."""
        ...

    async def held(self) -> list[Held]:
        """What is held, by zone and signal, in that order."""
        ...

    async def close(self) -> None:
        """Let go of files, threads and connections; closing twice is fine."""
        ...
