"""From batches of jobs to parts of output as bytes, in this process or in one of a pool; what both need is opened from a run's folder."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from gridgram.quality import Quality, Signal
from service.backfill.carried import Carried
from service.backfill.convert import Converter
from service.backfill.hours import load_tables
from service.backfill.output import Encoder, OutputFormat
from service.backfill.places import Places
from service.backfill.spec import Spec
from service.backfill.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gridgram.hour_tables import HourTables
    from service.backfill.convert import Quarantined
    from service.backfill.jobs import JobColumns, JobFile
    from service.backfill.parquet_table import ParquetTable, Piece


_LEARNT_BYTES = (32 << 20) - 8_192
"""Just under the largest block that glibc learns from (mallopt(3), M_MMAP_THRESHOLD)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of output: their bytes in pieces (or the file that holds them), Parquet's footer, the quarantine's lines and the sums."""

    piece: int
    ordinal: int
    is_last: bool
    written: Any
    footer: bytes
    quarantine: bytes
    totals: Totals


@dataclass(frozen=True, slots=True)
class Group:
    """The batches of one part, let go one by one as they are converted, and which row groups those are where they are kept whole."""

    piece: int
    ordinal: int
    is_last: bool
    batches: deque[JobColumns]
    whole: Piece | None = None


class Workshop:
    """The open file of jobs, the hours and the encoder of one run, as its folder tells."""

    def __init__(self, spec: Spec, file: JobFile, places: Mapping[str, Any], tables: HourTables) -> None:
        _keep_freed_memory()
        self.spec = spec
        self.file = file
        self.converter = Converter(
            file.own_schema,
            tables,
            Places(spec.signal, None, places),
            spec.min_quality,
            spec.now,
            tells_energy=spec.tells_energy,
        )
        parquet: tuple[ParquetTable, object] | None = getattr(file, "parquet", None)
        plain = parquet[0].plain_columns() if parquet else ()
        self._table = parquet[0] if parquet else None
        is_parquet = parquet is not None and spec.output_format is OutputFormat.PARQUET
        self._carried = Carried.of(parquet[0], spec.part_rows) if parquet and is_parquet else None
        self.encoder = Encoder(spec.output_format, self.converter.schema, file.own_schema.names, plain, self._carried)

    @classmethod
    def opened(cls, folder: Path) -> Workshop:
        """The workshop of the run in this folder."""
        plan = orjson.loads((folder / "plan.json").read_bytes())
        spec = spec_of(plan["spec"])
        return cls(spec, spec.open(), plan["places"], load_tables(folder / "hours"))

    @property
    def pieces(self) -> Sequence[Any]:
        """What can be read by itself; none when the file is read from its start only."""
        return getattr(self.file, "pieces", ())

    def groups(self, piece: int, skip: int) -> Iterator[Group]:
        """The parts of a piece, or of the whole file, from the one numbered `skip` on."""
        if self._carried is not None:
            yield from self._whole_groups(piece, skip)
            return
        batches = self.file.read_piece(self.pieces[piece]) if self.pieces else self.file.read()  # type: ignore[attr-defined] # as above
        held: deque[JobColumns] = deque()
        rows = ordinal = 0
        for jobs in chain.from_iterable(whole.parts(self.spec.part_rows) for whole in batches):
            if rows >= self.spec.part_rows:
                if ordinal >= skip:
                    yield Group(piece, ordinal, is_last=False, batches=held)
                held, rows, ordinal = deque(), 0, ordinal + 1
            held.append(jobs)
            rows += len(jobs.line)
        if held and ordinal >= skip:
            yield Group(piece, ordinal, is_last=True, batches=held)

    def _whole_groups(self, piece: int, skip: int) -> Iterator[Group]:
        """As `groups`, where the file's row groups are kept whole."""
        assert self._table is not None  # noqa: S101 - what is carried is of Parquet
        wholes = self._table.whole_groups(self.pieces[piece], self.spec.part_rows)
        for ordinal, whole in enumerate(wholes[skip:], skip):
            batches = deque(self.file.read_piece(whole))  # type: ignore[attr-defined] # Parquet has pieces
            yield Group(piece, ordinal, is_last=ordinal == len(wholes) - 1, batches=batches, whole=whole)

    def converted(self, group: Group) -> tuple[list[Any], Totals, list[Quarantined]]:
        """The record batches of a part, without the columns that are carried, its sums and its rows without numbers."""
        totals, batches, quarantined = Totals(), [], []
        while group.batches:
            converted = self.converter.convert(group.batches.popleft())
            batches.append(converted.batch if group.whole is None else converted.batch.select(self.encoder.ours))
            totals.add(converted.totals)
            quarantined += converted.quarantined
        return batches, totals, quarantined

    def encoded(self, group: Group, batches: list[Any], totals: Totals, quarantined: list[Quarantined]) -> Part:
        """A part as bytes."""
        written, footer = self.encoder.part(batches, group.whole)
        lines = b"".join(_line(entry, self.file.unit) for entry in quarantined)
        return Part(group.piece, group.ordinal, group.is_last, written, footer, lines, totals)


def _keep_freed_memory() -> None:
    """Let the C library keep freed columns for the next ones instead of giving them back to the system page by page.

    It does so with blocks no larger than the largest one that was freed; elsewhere than in glibc this does nothing.
    """
    np.empty(_LEARNT_BYTES, np.uint8)


def spec_of(members: dict[str, Any]) -> Spec:
    """The run from the JSON that `Spec.members` gives."""
    told = {name: members[name] for name in Spec.__slots__}
    told |= {name: Path(told[name]) for name in ("source", "output", "quarantine") if told[name] is not None}
    told |= {"output_format": OutputFormat(told["output_format"]), "signal": Signal(told["signal"])}
    return Spec(**told | {"now": datetime.fromisoformat(told["now"]), "min_quality": Quality(told["min_quality"])})


def _line(entry: Quarantined, unit: str) -> bytes:
    members: dict[str, Any] = {unit: entry.line, "reason": entry.reason}
    members |= {"row": entry.row} if entry.row is not None else {"text": entry.text}
    return orjson.dumps(members, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


_workshops: dict[str, Workshop] = {}
"""The workshop of a process of a pool."""


def open_workshop(folder: str) -> None:
    """Open the run's folder in a process of a pool."""
    _workshops["here"] = Workshop.opened(Path(folder))


def convert_piece(piece: int, skip: int, folder: str) -> list[Part]:
    """In a process of a pool: convert a piece, its bytes in files of the folder."""
    workshop = _workshops["here"]
    return [_filed(workshop, group, folder) for group in workshop.groups(piece, skip)]


def convert_group(group: Group, folder: str) -> list[Part]:
    """In a process of a pool: convert batches that another process has read."""
    return [_filed(_workshops["here"], group, folder)]


def _filed(workshop: Workshop, group: Group, folder: str) -> Part:
    part = workshop.encoded(group, *workshop.converted(group))
    path = Path(folder) / f"part-{part.piece}-{part.ordinal}"
    with path.open("wb") as file:
        file.writelines(part.written)
    return replace(part, written=path)
