"""What workers of a cluster do: describe a file, look a piece of it through, convert it. All three give the same when run again."""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from service.backfill.jobs import ReadOptions
from service.backfill.parquet_table import ParquetTable, Piece
from service.backfill.places import Places
from service.backfill.plan import EXACT_ROWS, Plan, look_at_piece
from service.backfill.readers.plain import PlainFile
from service.backfill.remote import file_system, opened
from service.backfill.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridgram.hour_tables import HourTables
    from service.backfill.parts import Part, Workshop
    from service.backfill.spec import Spec


@dataclass(frozen=True, slots=True)
class Partition:
    """Row groups that are converted together, from the part numbered `skip` on: of which file, by its place."""

    number: int
    place: str
    piece: Piece
    is_exact: bool
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    """A file: its rows, its pieces, and its columns as Arrow writes a schema."""

    rows: int
    pieces: Sequence[Piece]
    schema: bytes


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a worker needs to convert any piece of a run; `run` names the run."""

    run: str
    spec: Spec
    places: Mapping[str, Any]
    tables: HourTables


@dataclass(frozen=True, slots=True)
class Written:
    """A file of output that a worker has written, in the folder of the output."""

    name: str
    size_bytes: int
    totals: Totals


def open_jobs(place: str, spec: Spec) -> PlainFile:
    """Open a Parquet file of jobs. Raises InvalidInput."""
    options = ReadOptions(spec.now, spec.time_zone, spec.location, spec.pue, dict(spec.columns), dict(spec.power_from_tdp))
    return PlainFile(Path(PurePosixPath(place).name), ParquetTable(opened(place)), options)


def describe(place: str, spec: Spec) -> Described:
    """Describe a file by its footer. Raises InvalidInput."""
    file = open_jobs(place, spec)
    return Described(file.parquet[0].metadata.num_rows if file.parquet else 0, file.pieces, file.own_schema.serialize().to_pybytes())


def look(partition: Partition, spec: Spec) -> tuple[dict[str, Any], dict[int, tuple[int, int, list[int]]], int, int]:
    """Look a piece through: the places it names, the hours it needs of each, its rows and those that are of no use."""
    plan = Plan(Places(spec.signal, _resolver()))
    look_at_piece(plan, open_jobs(partition.place, spec), partition.piece, spec.now, is_exact=partition.is_exact)
    spans = {number: (span.first_us, span.end_us, sorted(span.days)) for number, span in plan.spans.items()}
    return plan.places.members(), spans, plan.rows, plan.unusable


def is_exact(rows: int) -> bool:
    """Whether a file of so many rows is looked through row by row, as a run on one machine does."""
    return rows <= EXACT_ROWS


def convert_here(recipe: Recipe, partition: Partition) -> list[Part]:
    """Convert a piece to parts of one file, which another appends."""
    workshop = _workshop(recipe, partition.place)
    parts = []
    for group in workshop.groups(workshop.pieces.index(partition.piece), partition.skip):
        part = workshop.encoded(group, *workshop.converted(group))
        parts.append(replace(part, piece=partition.number, written=[b"".join(part.written)]))
    return parts


def convert_into(recipe: Recipe, partition: Partition, folder: str) -> Written:
    """Convert a piece to a file of its own in the folder of the output, and one for its rows without numbers, if any."""
    workshop = _workshop(recipe, partition.place)
    parts = convert_here(recipe, partition)
    head, starts, end, totals = workshop.encoder.head(), [], len(workshop.encoder.head()), Totals()
    for part in parts:
        starts.append(end)
        end += len(part.written[0])
        totals.add(part.totals)
    tail = workshop.encoder.tail([part.footer for part in parts], starts)
    name = f"part-{partition.number:06}"
    size = write_whole(folder, f"{name}.parquet", [head, *(part.written[0] for part in parts), tail])
    if quarantine := b"".join(part.quarantine for part in parts):
        write_whole(folder, f"{name}.quarantine.ndjson", [quarantine])
    return Written(f"{name}.parquet", size, totals)


def write_whole(folder: str, name: str, pieces: Sequence[bytes]) -> int:
    """Write a file so that it is there either whole or not at all: by renaming, or as stores of objects do by themselves. [bytes]"""
    if "://" not in folder:
        draft = Path(folder) / f".{name}.{secrets.token_hex(4)}"
        try:
            with draft.open("wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(Path(folder) / name)
        finally:
            draft.unlink(missing_ok=True)
    else:
        filesystem, path = file_system(f"{folder}/{name}")
        with filesystem.open(path, "wb") as file:
            for piece in pieces:
                file.write(piece)
    return sum(map(len, pieces))


_held = threading.local()
"""What a thread of a worker keeps from one piece to the next: buffers are not shared between threads."""


def _workshop(recipe: Recipe, place: str) -> Workshop:
    from service.backfill.parts import Workshop  # noqa: PLC0415 - on a worker only

    held = getattr(_held, "workshop", None)
    if held is None or held[0] != (recipe.run, place):
        held = _held.workshop = (recipe.run, place), Workshop(recipe.spec, open_jobs(place, recipe.spec), recipe.places, recipe.tables)
    workshop: Workshop = held[1]
    return workshop


def _resolver() -> Any:  # noqa: ANN401 - a function, as Places wants it
    held = getattr(_held, "locator", None)
    if held is None:
        from gridgram.locations import Locator  # noqa: PLC0415 - as above
        from gridgram.zones import Zones  # noqa: PLC0415

        held = _held.locator = Locator.load(Zones.load())
    return lambda location: held.resolve(location).zone.key
