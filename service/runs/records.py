"""What is kept of runs, and the seam behind which it is kept: SQLite for one machine, PostgreSQL for many replicas.

Records are not cache: what was acknowledged is on disk, and nothing here is ever dropped by age or for want of room. A run belongs to the
key that brought it; two keys may use the same id and never see each other's run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gridgram.errors import InputError

if TYPE_CHECKING:
    from gridgram.run_energy import Counting, Sample

NOBODY: Final = ""
"""The owner where no keys are set."""
SAME_START: Final = 2_000_000
"""A tracker that does not name its run is known by what it tells of itself and by its start, which may differ so much. [microseconds]"""


class UnknownRun(InputError):
    """There is no such run, or it is another key's."""

    code = "not-found"

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run[:60]!r}.")


@dataclass(frozen=True, slots=True)
class NewSample:
    """A sample to be kept, under the key by which the same one is known again; `details` is what came, as JSON.

    `is_content`: the key is made from all that the record says, so that under the same key nothing else can be said.
    """

    key: str
    counting: Counting
    sample: Sample
    details: str = ""
    is_content: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What one request brings: a run, named by `run` or known by `origin` and `started`, and samples of it.

    Without `may_begin` the run must be there. `location` is empty while none is told. `received_at` and `started` in microseconds.
    """

    owner: str
    run: str
    tracker: str
    received_at: int
    samples: tuple[NewSample, ...] = ()
    origin: str = ""
    started: int = 0
    name: str = ""
    location: str = ""
    remarks: tuple[str, ...] = ()
    details: str = ""
    may_begin: bool = True


class Kept(NamedTuple):
    """What was kept, on disk: the run's id, an id for each sample, and how many of them were new."""

    run: str
    samples: tuple[str, ...]
    new: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is kept. `prices` is packed by `service.runs.packing`; `version` grows with each change of it."""

    owner: str
    run: str
    tracker: str
    name: str
    location: str
    remarks: tuple[str, ...]
    created_at: int
    seen_at: int
    prices: str
    version: int


class Cursor(NamedTuple):
    """Where a page of runs ends, newest first."""

    created_at: int
    run: str


class Records(Protocol):
    """Keeps runs. All raise StoreError when they cannot; what returned is on disk."""

    async def keep(self, entry: Entry) -> Kept:
        """Keep what came; the same again changes nothing and gives the same ids.

        Raises UnknownRun, and InvalidInput for a sample that contradicts one that is kept.
        """

    async def runs(self, owner: str, before: Cursor | None, most: int) -> list[Run]:
        """Runs of an owner, newest first, those before the cursor."""

    async def run(self, owner: str, run: str) -> Run:
        """One run. Raises UnknownRun."""

    async def samples(self, owner: str, run: str) -> list[tuple[Counting, Sample]]:
        """All samples of a run."""

    async def revisions(self, owner: str, run: str) -> list[str]:
        """How its figure changed, oldest first, each packed."""

    async def reprice(self, run: Run, prices: str, revision: str | None) -> bool:
        """Keep new prices, and a revision with them; False when another was quicker, and nothing is kept."""

    async def seen_since(self, instant: int, most: int) -> list[Run]:
        """Runs of all owners that told something since then, in microseconds; the newest first."""

    async def close(self) -> None:
        """Finish what is under way, and let go."""
