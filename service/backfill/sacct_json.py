"""What `sacct --json` prints, as a table with the columns of `sacct --parsable2`: one row a job, its steps left out, times in UTC.

The jobs of the document are parsed one at a time, so that memory does not grow with the file. A number is plain or, in newer versions,
{"set", "infinite", "number"}; one that is not set is an empty cell. A job's energy is that of its allocation: `tres.allocated` of type
`energy` [J], which is what `sacct` itself prints as the job's ConsumedEnergyRaw, or `statistics.energy.consumed`.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.interval import EPOCH, format_time
from service.backfill.jobs import BATCH_ROWS
from service.backfill.lines import pieces
from service.backfill.table import Rows
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS: Final = (
    "JobID",
    "JobName",
    "User",
    "Account",
    "Partition",
    "Cluster",
    "State",
    "Start",
    "End",
    "ElapsedRaw",
    "NNodes",
    "NCPUS",
    "AllocTRES",
    "ConsumedEnergyRaw",
)
MAX_JOB_CHARACTERS: Final = 64 << 20
_LAST_SECOND: Final = 253_402_300_799
_KEY: Final = '"jobs"'
_GAP: Final = re.compile(r"[\s,]*")


class SacctJson:
    """An open document of `sacct --json`."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        self._path = path
        self.schema = pa.schema([(name, pa.string()) for name in COLUMNS])

    def rows(self) -> Iterator[Rows]:
        """All jobs of the document."""
        held: list[dict[str, str]] = []
        first = 1
        for number, job in enumerate(self._jobs(), start=1):
            held.append(_cells(number, job))
            if len(held) == BATCH_ROWS:
                yield self._batch(first, held)
                first, held = first + len(held), []
        yield self._batch(first, held)

    def _batch(self, first: int, held: list[dict[str, str]]) -> Rows:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        batch = pa.RecordBatch.from_pylist(held, schema=self.schema)
        return Rows(np.arange(first, first + len(held)), batch)

    def _jobs(self) -> Iterator[Any]:
        """The members of the list `jobs`. Raises InvalidInput for what is no such document."""
        decoder, number = json.JSONDecoder(), 0
        texts = self._texts()
        text, at = self._until_list(texts), 0
        while True:
            gap = _GAP.match(text, at)
            at = gap.end() if gap else at
            if text.startswith("]", at):
                return
            try:
                job, at = decoder.raw_decode(text, at)
            except ValueError as error:
                more = next(texts, "")
                if not more or len(text) - at > MAX_JOB_CHARACTERS:
                    raise refused("file", f"{self._path.name} is cut or damaged after job {number:,}: {str(error)[:200]}") from error
                text, at = text[at:] + more, 0
                continue
            number += 1
            yield job

    def _until_list(self, texts: Iterator[str]) -> str:
        """The text after the bracket that opens the list of jobs."""
        text = ""
        for more in texts:
            text += more
            _, found, after = text.partition(_KEY)
            if found and (rest := after.lstrip(" \t\r\n:")).startswith("["):
                return rest[1:]
            if len(text) > MAX_JOB_CHARACTERS:
                break
        raise refused("file", f'{self._path.name} holds no list "jobs"; it is not what sacct --json prints')

    def _texts(self) -> Iterator[str]:
        decoder = getincrementaldecoder("utf-8")()
        try:
            for piece in pieces(self._path):
                yield decoder.decode(piece).removeprefix("\ufeff")
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise refused("file", f"{self._path.name} is not UTF-8") from error


def _cells(number: int, job: Any) -> dict[str, str]:  # noqa: ANN401 - JSON of any shape
    """The row of a job; one that is no object becomes a row without cells but its number."""
    if not isinstance(job, dict):
        return {"JobID": f"job {number}"}
    time = _object(job, "time")
    allocated = _allocated(job)
    energy = allocated.pop("energy", "") or _number(_object(_object(job, "statistics"), "energy").get("consumed"))
    association = _object(job, "association")
    return {
        "JobID": _job_id(job),
        "JobName": _text(job.get("name")),
        "User": _text(job.get("user") or association.get("user")),
        "Account": _text(job.get("account") or association.get("account")),
        "Partition": _text(job.get("partition")),
        "Cluster": _text(job.get("cluster") or association.get("cluster")),
        "State": _state(job),
        "Start": _moment(time.get("start")),
        "End": _moment(time.get("end")),
        "ElapsedRaw": _number(time.get("elapsed")),
        "NNodes": _number(job.get("allocation_nodes")) or allocated.get("node", ""),
        "NCPUS": allocated.get("cpu", ""),
        "AllocTRES": ",".join(f"{name}={count}" for name, count in allocated.items()),
        "ConsumedEnergyRaw": energy,
    }


def _object(members: dict[str, Any], name: str) -> dict[str, Any]:
    member = members.get(name)
    return member if isinstance(member, dict) else {}


def _text(member: object) -> str:
    return member if isinstance(member, str) else ""


def _number(member: object) -> str:
    """A count as text; empty where it is not set."""
    if isinstance(member, dict):
        member = member.get("number") if member.get("set") and not member.get("infinite") else None
    return str(member) if isinstance(member, int | float) and not isinstance(member, bool) else ""


def _moment(member: object) -> str:
    """An instant from seconds since 1970; empty where there is none, as sacct writes 0."""
    seconds = _number(member)
    if not seconds.isdecimal() or not 0 < int(seconds) <= _LAST_SECOND:
        return ""
    return format_time(EPOCH + timedelta(seconds=int(seconds)))


def _job_id(job: dict[str, Any]) -> str:
    array = _object(job, "array")
    array_id, task = _number(array.get("job_id")), _number(array.get("task_id"))
    return f"{array_id}_{task}" if array_id not in {"", "0"} and task else _number(job.get("job_id"))


def _state(job: dict[str, Any]) -> str:
    current = _object(job, "state").get("current")
    return _text(current[0] if isinstance(current, list) and current else current)


def _allocated(job: dict[str, Any]) -> dict[str, str]:
    """Counts by name, such as cpu, node, energy [J] and gres/gpu:a100."""
    found: dict[str, str] = {}
    allocated = _object(job, "tres").get("allocated")
    for entry in allocated if isinstance(allocated, list) else ():
        if isinstance(entry, dict):
            kind, name = _text(entry.get("type")), _text(entry.get("name"))
            found[f"{kind}/{name}" if name else kind] = _number(entry.get("count"))
    return found
