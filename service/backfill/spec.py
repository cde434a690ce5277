"""What one run of a backfill was asked for; a run that was cut off goes on only when it is asked for the same again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gridgram.quality import Quality, Signal
from service import PACKAGE_VERSION
from service.backfill.jobs import ReadOptions, find_reader
from service.backfill.table import head_of
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from service.backfill.jobs import JobFile
    from service.backfill.output import OutputFormat

PART_ROWS = 262_144
"""Rows of one part, which is also a row group of Parquet output: what is converted at a time and done again when a run is cut off."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One run: what is read, how it is converted and how it is written. `read_as` names the format, None lets the file tell."""

    source: Path
    output: Path
    output_format: OutputFormat
    now: datetime
    read_as: str | None = None
    time_zone: str | None = None
    location: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    pue: float = 1.0
    power_from_tdp: Mapping[str, float] = field(default_factory=dict)
    signal: Signal = Signal.LIFECYCLE
    min_quality: Quality = Quality.ANNUAL
    quarantine: Path | None = None
    part_rows: int = PART_ROWS

    def with_format(self) -> Spec:
        """The same with the format named. Raises InvalidInput when it is not recognised."""
        if self.read_as is not None or self.columns:
            return replace(self, read_as=find_reader(head_of(self.source), self.read_as or "plain").name)
        return replace(self, read_as=find_reader(head_of(self.source)).name)

    def open(self) -> JobFile:
        """Open the file of jobs. Raises InvalidInput."""
        head = head_of(self.source)
        options = ReadOptions(self.now, self.time_zone, self.location, self.pue, dict(self.columns), dict(self.power_from_tdp))
        return find_reader(head, self.read_as).open(self.source, options)

    @property
    def tells_energy(self) -> bool:
        """Whether the output says the energy: of a format whose own columns do not say it in kWh."""
        return self.read_as != "plain"

    def members(self) -> dict[str, Any]:
        """This run as JSON, with the file's size and time: what must be the same for a run to go on."""
        try:
            status = self.source.stat()
        except OSError as error:
            raise refused("file", f"{self.source} cannot be read: {error.strerror}") from error
        told = asdict(self) | {"now": self.now.isoformat(), "size": status.st_size, "modified_ns": status.st_mtime_ns}
        told |= {name: str(told[name].resolve()) for name in ("source", "output", "quarantine") if told[name] is not None}
        mappings = {"columns": dict(self.columns), "power_from_tdp": dict(self.power_from_tdp)}
        return told | mappings | {"version": PACKAGE_VERSION}
