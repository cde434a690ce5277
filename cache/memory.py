"""The months in memory, ready to compute with, in front of the store: least recently used out first, bounded in bytes.

Belongs to one event loop: nothing here waits or locks.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridgram.interval import Month
    from gridgram.quality import Signal
    from gridgram.sums import MonthChunk


class ChunkMemory:
    """Chunks by zone, signal and month, at most `max_bytes` of them; `hits` and `misses` count what was looked for."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self.hits = self.misses = 0
        self._chunks: OrderedDict[tuple[str, Signal, Month], MonthChunk] = OrderedDict()

    def __len__(self) -> int:
        return len(self._chunks)

    def get(self, zone: str, signal: Signal, month: Month) -> MonthChunk | None:
        """The chunk, if it is here; it counts as used."""
        key = zone, signal, month
        chunk = self._chunks.get(key)
        if chunk is None:
            self.misses += 1
        else:
            self.hits += 1
            self._chunks.move_to_end(key)
        return chunk

    def look(self, zone: str, signal: Signal, month: Month) -> MonthChunk | None:
        """The chunk, if it is here; not counted and no use, for one who may have to come again by `get`."""
        return self._chunks.get((zone, signal, month))

    def put(self, chunk: MonthChunk) -> None:
        """Keep a chunk in place of an older one of the same month; one that is larger than the bound is not kept."""
        self.drop(chunk.series.zone, chunk.series.signal, chunk.month)
        if chunk.nbytes > self.max_bytes:
            return
        self._chunks[chunk.series.zone, chunk.series.signal, chunk.month] = chunk
        self.nbytes += chunk.nbytes
        while self.nbytes > self.max_bytes:
            _, oldest = self._chunks.popitem(last=False)
            self.nbytes -= oldest.nbytes

    def drop(self, zone: str, signal: Signal, month: Month) -> None:
        """Forget one chunk, if it is here."""
        chunk = self._chunks.pop((zone, signal, month), None)
        if chunk is not None:
            self.nbytes -= chunk.nbytes

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self.nbytes = 0
