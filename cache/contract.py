"""What every series store promises: months of hours in, the same hours out, or StoreError and nothing else.

Beside the hours it carries what processes that share it tell each other: claims, pauses of sources, things made from hours, and how
much is taken of what all may take together. Their names are visible ASCII, at most 200 characters; their times are those of one clock,
the store's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

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


@dataclass(frozen=True, slots=True)
class Bucket:
    """So much as all who share a store may take together. What is taken comes back evenly within `seconds`.

    Where it does not refill, it never comes back; after so long without anybody taking something the bucket is forgotten.
    """

    name: str
    capacity: int
    seconds: float
    refills: bool = True


class Drawn(NamedTuple):
    """What was taken out of a bucket, and what is left in it."""

    taken: int
    left: float


class SeriesStore(Protocol):
    """Hours by zone, signal and UTC month. Every method may raise StoreError, after which answers go on without the store."""

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, whole and with explicit holes, or None where nothing is held.

        A chunk that cannot be read back exactly counts as not held: it is logged once and deleted.
        """
        ...

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held (`gridgram.series.overlay`), all or none of them; returns how many hours changed.

        A shared server takes many months in several steps: when it goes away between two, the same merge again does the rest.
        What this returned for is committed. Hours that are held and say the same are not written again.
        """
        ...

    async def generation(self) -> int:
        """A number that changes whenever any process changed the store; only two answers of one store object compare."""
        ...

    async def held(self) -> list[Held]:
        """What is held, by zone and signal, in that order."""
        ...

    async def claim(self, name: str, seconds: float) -> str | None:
        """Take the right to do something alone among all who share the store, for so long at most. [s]

        Returns a token to give it back with, or None while another has it.
        """
        ...

    async def release(self, name: str, token: str) -> None:
        """Give a claim back; one that has run out or is another's by now stays as it is."""
        ...

    async def pause(self, provider: str, seconds: float) -> None:
        """Let all who share the store leave a source alone for so long; a longer pause stays. [s]"""
        ...

    async def pauses(self) -> dict[str, float]:
        """The sources to leave alone now, and for how much longer. [s]"""
        ...

    async def keep(self, name: str, body: bytes, seconds: float) -> None:
        """Keep something that was made from hours (a trained model, an issued forecast) for so long; it may be gone earlier. [s]"""
        ...

    async def kept(self, name: str) -> bytes | None:
        """What was kept under a name, whole, or None; what cannot be read back exactly is logged once and deleted."""
        ...

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        """Keep a body in place of what was read under the name, None for nothing; False, and nothing done, when that is another by now. [s]

        Two who read the same, each add to it and swap so lose nothing of each other.
        """
        ...

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take as many out of a bucket as are wanted and there; a negative number is given back. A bucket that nobody used is full.

        What is taken by a call that fails may be lost; it comes back as if it had been used.
        """
        ...

    async def close(self) -> None:
        """Let go of files, threads and connections; closing twice is fine."""
        ...
