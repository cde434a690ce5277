"""The embedded store: one SQLite file for the hours, and one beside it for what its processes tell each other.

Merges are committed with `synchronous=FULL`: an import that returned survives a power cut.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

import structlog

from cache.codec import CodecError, decode_month, encode_month
from cache.contract import Held
from cache.laying import lay_over, span_of
from cache.sqlite_file import Schema, SqliteFile
from cache.sqlite_shared import SharedFile
from gridgram.quality import Signal
from gridgram.series import month_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gridgram.interval import Month
    from gridgram.series import IntensitySeries

SCHEMA: Final = Schema(
    application_id=0x47475253,  # "GGRS"
    version=1,
    tables="""
CREATE TABLE chunks (
    zone TEXT NOT NULL, signal TEXT NOT NULL, month INTEGER NOT NULL,
    first_hour INTEGER NOT NULL, end_hour INTEGER NOT NULL, hours INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (zone, signal, month)
);
CREATE INDEX chunks_held ON chunks (zone, signal, first_hour, end_hour, hours)
""",
)

log = structlog.get_logger(__name__)


class SqliteStore:
    """A `cache.contract.SeriesStore` in files, each opened at its first call; their folder is made then, for this user alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SqliteFile(path, SCHEMA, "gridgram-store")
        self._chunks = _Chunks(self._file)
        self._shared = SharedFile(path)

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, or None where nothing is held."""
        return await self._file.run(self._chunks.read, zone, signal, months)

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held, in one transaction; returns how many hours changed.

        The sequence is walked once, on the store's thread: it may make its series as it goes.
        """
        return await self._file.run(self._chunks.merge, series)

    async def generation(self) -> int:
        """A number that grows whenever any process changed the file."""
        return await self._file.run(self._chunks.generation)

    async def held(self) -> list[Held]:
        """What is held, by zone and signal."""
        return await self._file.run(self._chunks.held)

    async def claim(self, name: str, seconds: float) -> str | None:
        """Take a right that one has at a time; a token, or None while another has it."""
        return await self._shared.claim(name, seconds)

    async def release(self, name: str, token: str) -> None:
        """Give a claim back, if it is still this one."""
        await self._shared.release(name, token)

    async def pause(self, provider: str, seconds: float) -> None:
        """Leave a source alone; a longer pause stays."""
        await self._shared.pause(provider, seconds)

    async def pauses(self) -> dict[str, float]:
        """The sources to leave alone, and for how long. [s]"""
        return await self._shared.pauses()

    async def keep(self, name: str, body: bytes, seconds: float) -> None:
        """Keep something that was made from hours."""
        await self._shared.keep(name, body, seconds)

    async def kept(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        return await self._shared.kept(name)

    async def close(self) -> None:
        """Wait for what is under way, then close the files and their threads."""
        await self._file.close()
        await self._shared.close()


class _Chunks:
    """The table of chunks; all calls come from the file's thread."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._seen_version = 0
        self._generation = 0
        self._reported: set[tuple[str, Signal, Month]] = set()

    def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        if not months:
            return []
        rows = self._file.connection().execute(
            "SELECT month, packed FROM chunks WHERE zone = ? AND signal = ? AND month BETWEEN ? AND ?",
            (zone, signal, _month_key(min(months)), _month_key(max(months))),
        )
        wanted = {_month_key(month): month for month in months}
        packed = {wanted[key]: chunk for key, chunk in rows.fetchall() if key in wanted}
        held = {month: self._decoded(chunk, zone, signal, month) for month, chunk in packed.items()}
        for month in (month for month, series in held.items() if series is None):
            self._delete(zone, signal, month, packed[month])
        return [held.get(month) for month in months]

    def merge(self, series: Sequence[IntensitySeries]) -> int:
        with self._file.transaction() as connection:
            changed = sum(self._lay_over(connection, month, new) for whole in series for month, new in month_series(whole).items())
        if changed:
            self._generation += 1
        return changed

    def generation(self) -> int:
        (version,) = self._file.connection().execute("PRAGMA data_version").fetchone()
        if version != self._seen_version:
            self._seen_version = version
            self._generation += 1
        return self._generation

    def held(self) -> list[Held]:
        rows = self._file.connection().execute(
            "SELECT zone, signal, min(first_hour), max(end_hour), sum(hours) FROM chunks GROUP BY zone, signal ORDER BY zone, signal",
        )
        return [Held(zone, Signal(signal), first_hour, end_hour, hours) for zone, signal, first_hour, end_hour, hours in rows]

    def _lay_over(self, connection: sqlite3.Connection, month: Month, new: IntensitySeries) -> int:
        """Merge one month into what is held of it; writes only when an hour changed."""
        key = new.zone, new.signal, _month_key(month)
        row = connection.execute("SELECT packed FROM chunks WHERE zone = ? AND signal = ? AND month = ?", key).fetchone()
        old = self._decoded(row[0], new.zone, new.signal, month) if row else None
        after, changed = lay_over(old, new, month)
        if changed:
            connection.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, *span_of(after), encode_month(after)))
        return changed

    def _decoded(self, packed: object, zone: str, signal: Signal, month: Month) -> IntensitySeries | None:
        try:
            return decode_month(packed if isinstance(packed, bytes) else b"", zone, signal, month)
        except CodecError as error:
            if (zone, signal, month) not in self._reported:
                self._reported.add((zone, signal, month))
                log.warning(
                    "store.chunk_dropped", store=str(self._file.path), zone=zone, signal=str(signal), month=str(month), reason=str(error)
                )
            return None

    def _delete(self, zone: str, signal: Signal, month: Month, packed: object) -> None:
        """Remove a damaged chunk, unless another process has mended it since; a store that cannot be written keeps it, unread."""
        try:
            deleted = self._file.connection().execute(
                "DELETE FROM chunks WHERE zone = ? AND signal = ? AND month = ? AND packed = ?",
                (zone, signal, _month_key(month), packed),
            )
        except sqlite3.Error as error:
            log.warning("store.chunk_not_deleted", store=str(self._file.path), zone=zone, month=str(month), reason=str(error))
        else:
            self._generation += deleted.rowcount


def _month_key(month: Month) -> int:
    return month.year * 100 + month.month
