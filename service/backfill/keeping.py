"""The plan and the hours of a run to its folder, beside the conversion: with them it can go on; one that is ended before begins again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from service.backfill.folder import OutputError
from service.backfill.hours import save_tables

if TYPE_CHECKING:
    from types import TracebackType

    from service.backfill.run import Ready


class Keeping:
    """Keeps what a run has found, in a thread of its own from the start; at the end of a block of it, all is on the disk.

    Raises OutputError where it cannot be kept, also in place of what else went wrong in the block: the full disk is told where it began.
    """

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Wait until all is kept. Raises OutputError."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        if self._ready.found is None:
            return
        (plan, tables), folder = self._ready.found, self._ready.folder
        try:
            save_tables(tables, folder.hours)
            folder.save_plan(dict(plan))
        except OSError as error:  # numpy tells of a full disk without a word of the system's
            self._error = OutputError(f"the hours cannot be kept in {folder.path}: {error.strerror or error}")
            self._error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - it is raised again where the run is
            self._error = error
