"""What processes on one machine tell each other beside the hours: claims, pauses of sources, buckets, and things made from hours.

A file of its own next to the hours' (SERIES-shared), on a thread of its own: neither a long import nor a large model keeps the
other waiting, and to say something here does not change the generation of the hours.
"""

from __future__ import annotations

import math
import secrets
import time
from typing import TYPE_CHECKING, Final

import structlog

from cache.contract import Drawn
from cache.kept import bounded_seconds, checked_name, pack_kept, unpack_kept
from cache.sqlite_file import Schema, SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from cache.contract import Bucket

SUFFIX: Final = "-shared"
TOKEN_BYTES: Final = 16
LEAST_PART: Final = 1e-6
"""So little may be lacking to a whole one."""

SCHEMA: Final = Schema(
    application_id=0x47475248,  # "GGRH"
    version=3,
    tables="""
CREATE TABLE claims (name TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL, token TEXT NOT NULL);
CREATE TABLE pauses (name TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL);
CREATE TABLE kept (name TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL, packed BLOB NOT NULL)
""",
    added=(
        "CREATE INDEX kept_until ON kept (until); CREATE INDEX kept_since ON kept (since)",
        "CREATE TABLE buckets (name TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL, used REAL NOT NULL)",
    ),
)
"""Times are the machine's, in unix seconds. Past `until`, or before `since` (the clock was set back), an entry counts as gone.

The indexes find what is gone without a look at every large body.
"""

log = structlog.get_logger(__name__)


class SharedFile:
    """The second half of a `cache.contract.SeriesStore`, in the file beside `series_path`."""

    def __init__(self, series_path: Path) -> None:
        self._file = SqliteFile(series_path.with_name(series_path.name + SUFFIX), SCHEMA, "gridgram-shared")
        self._reported: set[str] = set()

    async def claim(self, name: str, seconds: float) -> str | None:
        """A token, or None while another has the claim."""
        return await self._file.run(self._claim, checked_name(name), bounded_seconds(seconds))

    async def release(self, name: str, token: str) -> None:
        """Give a claim back, if it is still this one."""
        await self._file.run(self._release, checked_name(name), token)

    async def pause(self, provider: str, seconds: float) -> None:
        """Leave a source alone; a longer pause stays."""
        await self._file.run(self._pause, checked_name(provider), bounded_seconds(seconds))

    async def pauses(self) -> dict[str, float]:
        """The sources to leave alone. [s]"""
        return await self._file.run(self._pauses)

    async def keep(self, name: str, body: bytes, seconds: float) -> None:
        """Keep a body under a name, in place of an older one."""
        await self._file.run(self._keep, checked_name(name), body, bounded_seconds(seconds))

    async def kept(self, name: str) -> bytes | None:
        """What is kept under a name."""
        return await self._file.run(self._kept, checked_name(name))

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        """Keep a body in place of what was read; whether that was still kept."""
        return await self._file.run(self._swap, checked_name(name), before, body, bounded_seconds(seconds))

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take out of a bucket, or give back."""
        checked_name(bucket.name)
        return await self._file.run(self._draw, bucket, wanted, bounded_seconds(bucket.seconds))

    async def close(self) -> None:
        """Wait for what is under way, then close the file."""
        await self._file.close()

    def _claim(self, name: str, seconds: float) -> str | None:
        token = secrets.token_hex(TOKEN_BYTES)
        with self._file.transaction() as connection:
            now = _forget_old(connection, "claims")
            row = name, now, now + seconds, token
            taken = connection.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?)", row).rowcount
        return token if taken else None

    def _release(self, name: str, token: str) -> None:
        self._file.connection().execute("DELETE FROM claims WHERE name = ? AND token = ?", (name, token))

    def _pause(self, provider: str, seconds: float) -> None:
        with self._file.transaction() as connection:
            now = _forget_old(connection, "pauses")
            connection.execute(
                "INSERT INTO pauses VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET until = max(until, excluded.until)",
                (provider, now, now + seconds),
            )

    def _pauses(self) -> dict[str, float]:
        now = time.time()
        found = self._file.connection().execute("SELECT name, until - ? FROM pauses WHERE since <= ? AND until > ?", (now, now, now))
        return dict(found.fetchall())

    def _draw(self, bucket: Bucket, wanted: int, seconds: float) -> Drawn:
        with self._file.transaction() as connection:
            now = _forget_old(connection, "buckets")
            found = connection.execute("SELECT used, since FROM buckets WHERE name = ?", (bucket.name,)).fetchone()
            used, since = found or (0.0, now)
            if bucket.refills:
                used -= (now - since) * bucket.capacity / seconds
            used = min(max(0.0, used), bucket.capacity)
            taken = max(min(wanted, math.floor(bucket.capacity - used + LEAST_PART)), -math.ceil(used))
            if taken:
                used = max(0.0, used + taken)
                connection.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)", (bucket.name, now, now + seconds, used))
        return Drawn(taken, max(0.0, bucket.capacity - used))

    def _keep(self, name: str, body: bytes, seconds: float) -> None:
        packed = pack_kept(name, body)
        with self._file.transaction() as connection:
            now = _forget_old(connection, "kept")
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (name, now, now + seconds, packed))

    def _swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        packed = pack_kept(name, body)
        with self._file.transaction() as connection:
            now = _forget_old(connection, "kept")
            found = connection.execute("SELECT packed FROM kept WHERE name = ?", (name,)).fetchone()
            if (None if found is None else found[0]) != (None if before is None else pack_kept(name, before)):
                return False
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (name, now, now + seconds, packed))
        return True

    def _kept(self, name: str) -> bytes | None:
        now, connection = time.time(), self._file.connection()
        found = connection.execute("SELECT packed FROM kept WHERE name = ? AND since <= ? AND until > ?", (name, now, now)).fetchone()
        if found is None:
            return None
        (packed,) = found
        body = unpack_kept(name, packed) if isinstance(packed, bytes) else None
        if body is None:
            self._drop(connection, name, packed)
        return body

    def _drop(self, connection: sqlite3.Connection, name: str, packed: object) -> None:
        """Delete a damaged body, unless another process has mended it since."""
        if name not in self._reported:
            self._reported.add(name)
            log.warning("store.kept_dropped", store=str(self._file.path), name=name, reason="its checksum does not match")
        connection.execute("DELETE FROM kept WHERE name = ? AND packed = ?", (name, packed))


def _forget_old(connection: sqlite3.Connection, table: str) -> float:
    """Delete the entries of one of our tables that have run out; returns the time now. [unix s]"""
    now = time.time()
    connection.execute(f"DELETE FROM {table} WHERE until <= ? OR since > ?", (now, now))  # noqa: S608 - the names are ours
    return now
