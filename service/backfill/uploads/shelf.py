"""All backfills of one folder: new ones put in, one found, one taken to work on, old ones thrown away; what each caller may keep.

Several processes, of one machine or of several that share the folder, use it together: names are given by renaming, which one alone can
do, and who works on a backfill holds a lock that ends with its process. All methods look at the disk, so they run in threads.
"""

from __future__ import annotations

import errno
import fcntl
import hmac
import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson

from gridgram.errors import Fault, InvalidInput
from service.backfill.uploads.errors import CannotKeep, KeyReused, TooMuchKept
from service.backfill.uploads.job import LOCK, REQUEST, Asked, Job, folder_bytes, sync, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from typing import Any

ID: Final = re.compile(r"[0-9a-f]{32}")
ID_BYTES: Final = 16
SECRET_BYTES: Final = 32
STALE_UPLOAD_SECONDS: Final = 3_600.0
"""An upload that was not written to for so long was left behind by a process that is gone."""
UPLOADING, GONE = ".upload-", ".gone-"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one caller may have: backfills that are not finished, bytes of one upload, bytes of all files; how long results stay. [s]"""

    unfinished: int
    upload_bytes: int
    stored_bytes: int
    keep_seconds: float


@dataclass(slots=True)
class Shelf:
    """The folder; it is made when the first backfill comes. `now` gives seconds since 1970."""

    folder: Path
    bounds: Bounds
    now: Callable[[], float]

    def jobs(self) -> list[Job]:
        """All backfills, the oldest first."""
        found = []
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                if ID.fullmatch(entry.name):
                    with suppress(OSError, ValueError):
                        found.append(Job.opened(self.folder / entry.name))
        return sorted(found, key=lambda job: (job.asked.created_at, job.asked.id))

    def find(self, identity: str, owner: str) -> Job | None:
        """The backfill of this id, if it is this caller's."""
        if not ID.fullmatch(identity):
            return None
        try:
            job = Job.opened(self.folder / identity)
        except (OSError, ValueError):
            return None
        return job if job.asked.owner == owner else None

    def knows(self, owner: str, key: str) -> bool:
        """Whether this caller's Idempotency-Key stands for a backfill already."""
        return self.folder.exists() and self.find(self._identity(owner, key), owner) is not None

    def room(self, owner: str) -> int:
        """How many bytes this caller may send now. Raises TooMuchKept when that is none, or too much is unfinished."""
        mine = [job for job in self.jobs() if job.asked.owner == owner]
        unfinished = sum(not job.state.is_final for job in mine)
        if unfinished >= self.bounds.unfinished:
            told = f"{unfinished} backfills are not finished, and {self.bounds.unfinished} may be; wait for one to end, or delete one"
            raise TooMuchKept(told)
        left = self.bounds.stored_bytes - sum(job.stored_bytes() for job in mine)
        if left <= 0:
            raise TooMuchKept(f"the files of all backfills take the {self.bounds.stored_bytes:,} bytes that they may; delete one")
        return min(left, self.bounds.upload_bytes)

    def new_upload(self) -> Path:
        """Make a folder for an upload that begins. Raises CannotKeep."""
        with self.kept():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = self.folder / f"{UPLOADING}{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700)
        return folder

    def place(self, upload: Path, owner: str, digest: str, options: dict[str, Any], key: str | None) -> tuple[Job, bool]:
        """Give a whole upload its id; tells whether it is new. With an Idempotency-Key the same request gets the same backfill again.

        Raises KeyReused, TooMuchKept and CannotKeep; the upload's folder is then still there.
        """
        identity = secrets.token_hex(ID_BYTES) if key is None else self._identity(owner, key)
        asked = Asked(identity, owner, self.now(), digest, (upload / "jobs").stat().st_size, options)
        with self.kept():
            write_whole(upload / REQUEST, orjson.dumps(asdict(asked)))
        with self._alone():
            if (held := self.find(identity, owner)) is not None:
                if not hmac.compare_digest(held.asked.digest, digest):
                    raise KeyReused("this Idempotency-Key came with another upload or other parameters before; take a new one")
                shutil.rmtree(upload, ignore_errors=True)
                return held, False
            self.room(owner)
            with self.kept():
                upload.rename(self.folder / identity)
                sync(self.folder)
        return Job(self.folder / identity, asked), True

    def remove(self, job: Job) -> bool:
        """Throw a backfill away, running or not: who works on it sees that its folder is gone. False when another was quicker."""
        gone = self.folder / f"{GONE}{job.asked.id}-{secrets.token_hex(4)}"
        try:
            job.folder.rename(gone)
        except OSError:
            return False
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def take(self, owners: Collection[str]) -> tuple[Job, int] | None:
        """A backfill that waits and may be worked on, the oldest first, with its lock (a descriptor); None when there is none."""
        for job in self.jobs():
            state = job.state
            if state.is_final or state.not_before > self.now() or job.asked.owner not in owners:
                continue
            lock = _locked(job.folder / LOCK)
            if lock is None:
                continue
            if not job.state.is_final:
                return job, lock
            os.close(lock)
        return None

    def sweep(self) -> None:
        """Throw away what is too old: results, backfills whose caller is no more, and what was left half done."""
        now = self.now()
        for job in self.jobs():
            if now - job.state.at > self.bounds.keep_seconds and job.progress(now) is None:
                self.remove(job)
        with suppress(FileNotFoundError):
            for path in list(self.folder.iterdir()):
                with suppress(FileNotFoundError):
                    is_left = path.name.startswith(UPLOADING) and now - _newest(path) > STALE_UPLOAD_SECONDS
                    if is_left or path.name.startswith(GONE):
                        shutil.rmtree(path, ignore_errors=True)

    def stored_bytes(self) -> int:
        """What all backfills take on the disk."""
        return folder_bytes(self.folder)

    def _identity(self, owner: str, key: str) -> str:
        """The id that an Idempotency-Key stands for: the same in every process, and not to be guessed from the key."""
        path = self.folder / "secret"
        with self._alone(), self.kept():
            if not path.exists():
                write_whole(path, secrets.token_bytes(SECRET_BYTES))
            secret = path.read_bytes()
        return hmac.new(secret, f"{owner}\0{key}".encode(), sha256).hexdigest()[: 2 * ID_BYTES]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's own lock, for a moment."""
        with self.kept():
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Turn what the disk says into CannotKeep."""
        try:
            yield
        except OSError as error:
            what = "the disk is full" if error.errno in _FULL else f"the folder for uploads cannot be written: {error.strerror}"
            raise CannotKeep(f"{what}; nothing of the upload is kept") from error


def check_length(content_length: int | None, room: int) -> None:
    """Raise InvalidInput for an empty upload; what is too long is found while it comes in, or here."""
    from service.body import BodyTooLarge  # noqa: PLC0415 - aiohttp, which a process that converts never loads

    if content_length == 0:
        raise InvalidInput([Fault("", "the body is empty; send the file of jobs as it is")])
    if content_length is not None and content_length > room:
        raise BodyTooLarge(f"the upload is {content_length:,} bytes long, and {room:,} may be sent now; split it, or delete a backfill")


def _locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # it was thrown away meanwhile, or the disk is full
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _newest(folder: Path) -> float:
    return max([folder.stat().st_mtime, *(path.stat().st_mtime for path in folder.iterdir())])
