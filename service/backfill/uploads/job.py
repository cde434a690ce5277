"""One backfill on the disk: a folder that holds the upload, how it is to be read, how far it is, and its result.

The folder is named by the id alone; no name in it comes from a caller. What says how things stand is written so that it is there either
whole or not at all. [times in seconds since 1970]
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

if TYPE_CHECKING:
    from pathlib import Path

REQUEST, UPLOAD, STATE, PROGRESS, LOCK = "request.json", "jobs", "state.json", "progress.json", "lock"
WAITING, DONE, FAILED = "waiting", "done", "failed"
HEARTBEAT_SECONDS: Final = 1.0
LIVELY_SECONDS: Final = 10.0
"""A progress that is older was left behind by a process that is gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: by which key ("" where there are none), when, with which digest of options and upload, and the options."""

    id: str
    owner: str
    created_at: float
    digest: str
    upload_bytes: int
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """How a backfill stands while nobody works on it. `attempts` counts processes that ended without a word."""

    state: str = WAITING
    at: float = 0.0
    not_before: float = 0.0
    attempts: int = 0
    detail: str = ""
    errors: list[dict[str, str]] = field(default_factory=list)
    summary: dict[str, Any] | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing is left to do."""
        return self.state != WAITING


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the process that works on a backfill is; `at` is when it last said so."""

    at: float
    doing: str
    rows: int = 0
    rows_done: int = 0
    rows_quarantined: int = 0
    rows_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """The folder of one backfill."""

    folder: Path
    asked: Asked

    @classmethod
    def opened(cls, folder: Path) -> Self:
        """The backfill of a folder. Raises OSError or ValueError where there is none."""
        try:
            return cls(folder, Asked(**orjson.loads((folder / REQUEST).read_bytes())))
        except TypeError as error:
            raise ValueError(f"{folder.name} is no backfill") from error

    @property
    def upload(self) -> Path:
        """What was sent."""
        return self.folder / UPLOAD

    @property
    def result(self) -> Path:
        """The finished output."""
        return self.folder / f"result.{self.asked.options['output']}"

    @property
    def quarantine(self) -> Path:
        """The rows without numbers; there when there are any."""
        return self.folder / "quarantine.ndjson"

    @property
    def state(self) -> State:
        """How it stands."""
        try:
            return State(**orjson.loads((self.folder / STATE).read_bytes()))
        except FileNotFoundError:
            return State(at=self.asked.created_at)

    def put_state(self, state: State) -> None:
        """Write how it stands, onto the disk. Raises OSError."""
        write_whole(self.folder / STATE, orjson.dumps(asdict(state)))

    def progress(self, now: float) -> Progress | None:
        """How far a process is that works on it now; None where none does."""
        try:
            progress = Progress(**orjson.loads((self.folder / PROGRESS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return progress if now - progress.at < LIVELY_SECONDS else None

    def put_progress(self, progress: Progress) -> None:
        """Write how far it is; a power cut may take it. Raises OSError."""
        draft = self.folder / f"{PROGRESS}.draft"
        draft.write_bytes(orjson.dumps(asdict(progress)))
        draft.rename(self.folder / PROGRESS)

    def stored_bytes(self) -> int:
        """What all its files take."""
        return folder_bytes(self.folder)


def folder_bytes(folder: Path) -> int:
    """The size of all files under a folder; one that goes away meanwhile counts nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size  # noqa: PTH116, PTH118 - a Path for each is ten times as slow
            except FileNotFoundError:
                continue
    return total


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there either whole or not at all, also after a power cut. Raises OSError."""
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
