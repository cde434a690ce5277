"""The embedded store: one SQLite file for the hours, and one beside it for what its processes tell each other.

Merges are committed with `synchronous=FULL`: an import that returned survives a power cut. Reads have a connection and a thread of
their own: while a merge, here or in another process, is under way or waits, they see what was committed before it.
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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cache.contract import Bucket, Drawn
    from gridgram.interval import Month
    from gridgram.series import IntensitySeries

SCHEMA: Final = Schema(
    application_id=0x47475253,  # "GGRS"
    version=2,
    tables="""
CREATE TABLE chunks (
    zone TEXT NOT NULL, signal TEXT NOT NULL, month INTEGER NOT NULL,
    first_hour INTEGER NOT NULL, end_hour INTEGER NOT NULL, hours INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (zone, signal, month)
);
CREATE INDEX chunks_held ON chunks (zone, signal, first_hour, end_hour, hours)
""",
    added=("CREATE TABLE writes (count INTEGER NOT NULL); INSERT INTO writes VALUES (0)",),
)
"""`writes` counts the transactions that changed a chunk, by whichever process."""

log = structlog.get_logger(__name__)

Key = tuple[str, Signal, "Month"]


class SqliteStore:
    """A `cache.contract.SeriesStore` in files, each opened at its first call; their folder is made then, for this user alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writes = SqliteFile(path, SCHEMA, "gridgram-store")
        self._reads = SqliteFile(path, SCHEMA, "gridgram-reads")
        self._chunks = _Chunks(path)
        self._shared = SharedFile(path)

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, or None where nothing is held."""
        held, damaged = await self._reads.run(self._chunks.read, self._reads, zone, signal, months)
        if damaged:
            await self._writes.run(self._chunks.clear, self._writes, damaged)
        return held

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held, in one transaction; returns how many hours changed.

        The sequence is walked once, on the store's thread: it may make its series as it goes.
        """
        return await self._writes.run(self._chunks.merge, self._writes, series)

    async def generation(self) -> int:
        """How many transactions, of whichever process, have changed the file."""
        return await self._reads.run(self._chunks.generation, self._reads)

    async def held(self) -> list[Held]:
        """What is held, by zone and signal."""
        return await self._reads.run(self._chunks.held, self._reads)

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

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        """Keep a body in place of what was read; False when that is another by now."""
        return await self._shared.swap(name, before, body, seconds)

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take out of a bucket that all share, or give back."""
        return await self._shared.draw(bucket, wanted)

    async def close(self) -> None:
        """Wait for what is under way, then close the files and their threads."""
        await self._reads.close()
        await self._writes.close()
        await self._shared.close()


class _Chunks:
    """The table of chunks. Each call comes from the thread of the file that it is given."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reported: set[Key] = set()

    def read(
        self, file: SqliteFile, zone: str, signal: Signal, months: Sequence[Month]
    ) -> tuple[list[IntensitySeries | None], dict[Key, object]]:
        """The months, and what stands in place of those that cannot be read back."""
        if not months:
            return [], {}
        rows = file.connection().execute(
            "SELECT month, packed FROM chunks WHERE zone = ? AND signal = ? AND month BETWEEN ? AND ?",
            (zone, signal, _month_key(min(months)), _month_key(max(months))),
        )
        wanted = {_month_key(month): month for month in months}
        packed = {wanted[key]: chunk for key, chunk in rows.fetchall() if key in wanted}
        held = {month: self._decoded(chunk, zone, signal, month) for month, chunk in packed.items()}
        damaged = {(zone, signal, month): packed[month] for month, series in held.items() if series is None}
        return [held.get(month) for month in months], damaged

    def merge(self, file: SqliteFile, series: Sequence[IntensitySeries]) -> int:
        with file.transaction() as connection:
            changed = sum(self._lay_over(connection, month, new) for whole in series for month, new in month_series(whole).items())
            if changed:
                _count_write(connection)
        return changed

    def clear(self, file: SqliteFile, damaged: Mapping[Key, object]) -> None:
        """Remove damaged chunks, unless another process has mended them since; a store that cannot be written keeps them, unread."""
        try:
            with file.transaction() as connection:
                if sum(_delete(connection, key, packed) for key, packed in damaged.items()):
                    _count_write(connection)
        except sqlite3.Error as error:
            months = sorted(str(month) for _, _, month in damaged)
            log.warning("store.chunk_not_deleted", store=str(self._path), months=months, reason=str(error))

    def generation(self, file: SqliteFile) -> int:
        (count,) = file.connection().execute("SELECT count FROM writes").fetchone()
        return int(count)

    def held(self, file: SqliteFile) -> list[Held]:
        rows = file.connection().execute(
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
                    "store.chunk_dropped", store=str(self._path), zone=zone, signal=str(signal), month=str(month), reason=str(error)
                )
            return None


def _delete(connection: sqlite3.Connection, key: Key, packed: object) -> int:
    zone, signal, month = key
    statement = "DELETE FROM chunks WHERE zone = ? AND signal = ? AND month = ? AND packed = ?"
    return connection.execute(statement, (zone, signal, _month_key(month), packed)).rowcount


def _count_write(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE writes SET count = count + 1")


def _month_key(month: Month) -> int:
    return month.year * 100 + month.month
