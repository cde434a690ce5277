"""The embedded store: one SQLite file in WAL mode, safe with several processes, asked on one thread of its own.

Merges are committed with `synchronous=FULL`: an import that returned survives a power cut.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

import structlog

from cache.codec import CodecError, decode_month, encode_month
from cache.contract import Held
from gridgram.errors import StoreError
from gridgram.quality import Signal
from gridgram.series import hours_changed, missing_series, month_series, overlay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gridgram.interval import Month
    from gridgram.series import IntensitySeries

P = ParamSpec("P")
T = TypeVar("T")

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x47475253
"""Marks the file as ours ("GGRS"), so that no other program's database is written to."""
BUSY_SECONDS: Final = 5.0
"""How long a merge waits for another process to finish its own."""

SCHEMA: Final = f"""
CREATE TABLE chunks (
    zone TEXT NOT NULL, signal TEXT NOT NULL, month INTEGER NOT NULL,
    first_hour INTEGER NOT NULL, end_hour INTEGER NOT NULL, hours INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (zone, signal, month)
);
CREATE INDEX chunks_held ON chunks (zone, signal, first_hour, end_hour, hours);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

log = structlog.get_logger(__name__)


class SqliteStore:
    """A `cache.contract.SeriesStore` in one file, opened at the first call; its folder is made then, for this user alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gridgram-store")
        self._database = _Database(path)
        self._is_closed = False

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, or None where nothing is held."""
        return await self._call(_Database.read, zone, signal, months)

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held, in one transaction; returns how many hours changed.

        The sequence is walked once, on the store's thread: it may make its series as it goes.
        """
        return await self._call(_Database.merge, series)

    async def generation(self) -> int:
        """A number that grows whenever any process changed the file."""
        return await self._call(_Database.generation)

    async def held(self) -> list[Held]:
        """What is held, by zone and signal."""
        return await self._call(_Database.held)

    async def close(self) -> None:
        """Wait for what is under way, then close the file and the thread."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
            self._thread.shutdown()

    async def _call(self, work: Callable[Concatenate[_Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._is_closed:
            raise StoreError(f"The store {self.path} is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._database, *args, **kwargs))


class _Database:
    """The file itself; all calls come from the store's one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen_version = 0
        self._generation = 0
        self._reported: set[tuple[str, Signal, Month]] = set()

    def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        if not months:
            return []
        with self._errors_told():
            rows = self._open().execute(
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
        with self._errors_told():
            connection = self._open()
            with _transaction(connection):
                changed = sum(self._lay_over(connection, month, new) for whole in series for month, new in month_series(whole).items())
        if changed:
            self._generation += 1
        return changed

    def generation(self) -> int:
        with self._errors_told():
            (version,) = self._open().execute("PRAGMA data_version").fetchone()
        if version != self._seen_version:
            self._seen_version = version
            self._generation += 1
        return self._generation

    def held(self) -> list[Held]:
        with self._errors_told():
            rows = self._open().execute(
                "SELECT zone, signal, min(first_hour), max(end_hour), sum(hours) FROM chunks GROUP BY zone, signal ORDER BY zone, signal",
            )
            return [Held(zone, Signal(signal), first_hour, end_hour, hours) for zone, signal, first_hour, end_hour, hours in rows]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lay_over(self, connection: sqlite3.Connection, month: Month, new: IntensitySeries) -> int:
        """Merge one month into what is held of it; writes only when an hour changed."""
        key = new.zone, new.signal, _month_key(month)
        row = connection.execute("SELECT packed FROM chunks WHERE zone = ? AND signal = ? AND month = ?", key).fetchone()
        old = self._decoded(row[0], new.zone, new.signal, month) if row else None
        if old is None:
            old = missing_series(new.zone, new.signal, month.first_hour, month.hours)
        try:
            after = overlay(old, new)
        except ValueError as error:
            raise StoreError(f"{new.zone} {new.signal} {month} cannot be stored: {error}.") from error
        changed = hours_changed(old, after)
        if changed:
            present = after.quality.nonzero()[0]
            connection.execute(
                "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, after.first_hour + int(present[0]), after.first_hour + int(present[-1]) + 1, len(present), encode_month(after)),
            )
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

    def _delete(self, zone: str, signal: Signal, month: Month, packed: object) -> None:
        """Remove a damaged chunk, unless another process has mended it since; a store that cannot be written keeps it, unread."""
        try:
            deleted = self._open().execute(
                "DELETE FROM chunks WHERE zone = ? AND signal = ? AND month = ? AND packed = ?",
                (zone, signal, _month_key(month), packed),
            )
        except sqlite3.Error as error:
            log.warning("store.chunk_not_deleted", store=str(self._path), zone=zone, month=str(month), reason=str(error))
        else:
            self._generation += deleted.rowcount

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, self._path)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._generation += 1
        return self._connection

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into a StoreError that names the file and the mend."""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OSError) as error:
            raise StoreError(f"The store {self._path} {_complaint(error)} ({error}).") from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set the connection up and make the schema in an empty file; refuse a database that is not ours or of another version."""
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA synchronous = FULL")
    if _is_ours(connection, path):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with _transaction(connection):
        if not _is_ours(connection, path):
            for statement in SCHEMA.split(";"):
                connection.execute(statement)


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds our tables; False for an empty one. Raises StoreError for any other."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        return False
    if application != APPLICATION_ID:
        raise StoreError(f"The store {path} is another program's database; name another file.")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"The store {path} has schema {version} and this Gridgram needs {SCHEMA_VERSION}; move the file away and a new one is made.",
        )
    return True


def _month_key(month: Month) -> int:
    return month.year * 100 + month.month


def _complaint(error: Exception) -> str:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return "is damaged or is not a store; move the file away and a new one is made"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return "cannot be written; give this user the right to write the file and its folder, or name another file"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return "cannot be written or read; look whether the disk is full"
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"was locked by another process for more than {BUSY_SECONDS:g} s; try again when its import is done"
    return "cannot be opened; look whether its folder exists and this user may write there, or name another file"
