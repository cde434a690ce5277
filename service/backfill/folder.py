"""The folder of a run that is not finished: what it was asked for, the hours it uses, the parts done so far and the journal of them.

A part counts once its journal line is whole; the bytes it speaks of were on the disk before. What was written after the last whole line is
cut off when the run goes on, so that a run that was killed loses and doubles nothing. [offsets in bytes]
"""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from gridgram.errors import GridgramError
from service.backfill.totals import Totals
from service.importing.faults import refused

if TYPE_CHECKING:
    from pathlib import Path
    from typing import ClassVar


class OutputError(GridgramError):
    """The output cannot be written; what was done so far is kept beside it."""

    code: ClassVar[str] = "output-error"


@dataclass(frozen=True, slots=True)
class Entry:
    """A part that is done: the piece of the file it is of, its number in the piece, and where its bytes end."""

    piece: int
    ordinal: int
    is_last: bool
    end: int
    quarantine_end: int
    footer: bytes
    totals: Totals

    def line(self) -> bytes:
        """The entry as a line of the journal."""
        members = {
            "piece": self.piece,
            "ordinal": self.ordinal,
            "is_last": self.is_last,
            "end": self.end,
            "quarantine_end": self.quarantine_end,
            "footer": base64.b64encode(self.footer).decode(),
            "totals": self.totals.members(),
        }
        return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """The entry that a line of the journal holds."""
        members = orjson.loads(line)
        members["footer"] = base64.b64decode(members["footer"])
        members["totals"] = Totals.from_members(members["totals"])
        return cls(**members)


class WorkFolder:
    """The folder beside the output, locked while it is open. Raises OutputError when another run holds it or it cannot be made."""

    def __init__(self, output: Path) -> None:
        self.path = output.parent / f".{output.name}.gridgram"
        self.hours = self.path / "hours"
        self.data = self.path / "data"
        self.quarantine = self.path / "quarantine"
        self._plan = self.path / "plan.json"
        self._journal = self.path / "journal.ndjson"
        self._told = self.path / "told.json"
        try:
            self.path.mkdir(exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(f"{output.parent} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise OutputError(f"another run writes {output.name}; wait for it, or name another output") from error

    def close(self) -> None:
        """Let another run have the folder; one in which nothing was planned goes away."""
        if self.path.exists() and not self._plan.exists():
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def saved_plan(self) -> dict[str, Any] | None:
        """What the run was asked for and found out before it converted; None when it had not come so far."""
        return orjson.loads(self._plan.read_bytes()) if self._plan.exists() else None

    def save_plan(self, members: dict[str, Any]) -> None:
        """Keep the plan; with this the folder is one that a run can go on from."""
        _replace(self._plan, orjson.dumps(members))

    def save_told(self, told: dict[str, Any]) -> None:
        """Keep the summary; once the data is gone to its place after this, the run is finished."""
        _replace(self._told, orjson.dumps(told))

    def told_before(self) -> dict[str, Any] | None:
        """The summary of a run that was finished but for this folder; None when there is still something to do."""
        return orjson.loads(self._told.read_bytes()) if self._told.exists() and not self.data.exists() else None

    def entries(self) -> list[Entry]:
        """The parts that are done."""
        if not self._journal.exists():
            return []
        text = self._journal.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        entries = []
        for line in whole.splitlines():
            try:
                entries.append(Entry.from_line(line))
            except (ValueError, TypeError, KeyError):
                break
        kept = b"".join(entry.line() for entry in entries)
        if kept != text:
            _replace(self._journal, kept)
        return entries

    def open_journal(self) -> int:
        """The journal, to be added to."""
        return os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def forget(self) -> None:
        """Throw away what was done."""
        for child in self.path.iterdir():
            if child.name != "lock":
                shutil.rmtree(child) if child.is_dir() else child.unlink()

    def remove(self) -> None:
        """Remove the folder of a run that is finished: the plan first, without which nothing in it counts."""
        self._plan.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def check_same(saved: dict[str, Any], asked: dict[str, Any], folder: Path) -> datetime:
    """The instant at which the saved run began. Raises InvalidInput when it was asked for something else than now."""
    before = saved["spec"]
    for name in asked.keys() | before.keys():
        if name != "now" and before.get(name) != asked.get(name):
            raise refused(
                "--restart",
                f"{folder} holds an unfinished run whose {name.replace('_', ' ')} was {before.get(name)!r}, now {asked.get(name)!r}; "
                "ask for the same to go on, or throw it away with --restart",
            )
    return datetime.fromisoformat(before["now"])


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there either whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    sync_file(draft)
    draft.rename(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Bring a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file
"""Bring the names in a folder to the disk."""
