"""Every error of the house, cut by what the caller can do about it.

    GridgramError
    +-- InputError             fix the input
    |   +-- InvalidInput       a field is wrong; carries the faults, each with its place
    |   +-- UnknownLocation    no such place; carries suggestions
    |   +-- NoData             the place is known, the hours are not held at the quality asked for
    +-- UpstreamError          wait, or go to another source
    +-- StoreError             go on without the store
    |   +-- StoreRefused       the store is there and refused this one thing, such as a write while it is full
    +-- SettingsError          call whoever runs the service

Each carries its parts as attributes and a stable `code`; its text is one sentence that a stranger understands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class GridgramError(Exception):
    """The root: catch this to catch all that Gridgram raises on purpose."""

    code: ClassVar[str] = "gridgram-error"


class InputError(GridgramError):
    """The caller can mend it by asking differently."""

    code: ClassVar[str] = "input-error"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input: where (a JSON pointer, a query parameter, a column) and what, with the mend."""

    pointer: str
    detail: str


class InvalidInput(InputError):
    """One or more fields of an input are wrong; all of them are named at once."""

    code: ClassVar[str] = "invalid-input"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail for fault in self.faults))


class UnknownLocation(InputError):
    """A location that names no zone; `suggestions` are the nearest names that do."""

    code: ClassVar[str] = "unknown-location"

    def __init__(self, location: str, reason: str, suggestions: Sequence[str] = ()) -> None:
        self.location = location
        self.reason = reason
        self.suggestions = tuple(suggestions)
        hint = f" Did you mean {', '.join(self.suggestions)}?" if self.suggestions else ""
        super().__init__(f"{reason}{hint}")


class NoData(InputError):
    """Hours are missing, or held only at a worse quality than the one asked for.

    `hours_missing` counts them all; `missing` lists spans (RFC 3339 start and end), the first hundred at most.
    """

    code: ClassVar[str] = "no-data"

    def __init__(self, zone: str, reason: str, *, hours_missing: int = 0, missing: Sequence[tuple[str, str]] = ()) -> None:
        self.zone = zone
        self.reason = reason
        self.hours_missing = hours_missing
        self.missing = tuple(missing)
        super().__init__(reason)


class UpstreamError(GridgramError):
    """A source did not answer, or its answer could not be believed."""

    code: ClassVar[str] = "upstream-error"


class StoreError(GridgramError):
    """The store cannot be read or written; answers go on without it."""

    code: ClassVar[str] = "store-error"


class StoreRefused(StoreError):
    """The store answers and refused this one thing (a write while it is full, a command that its user may not send); others go on."""


class SettingsError(GridgramError):
    """A setting is wrong; the text names the variable and what it may hold."""

    code: ClassVar[str] = "settings-error"
