"""Which column of a file says what: Gridgram's own names, renamed ones, or Electricity Maps' portal CSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from gridgram.quality import Scope, Signal
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIRED: Final = ("zone", "start", "g_per_kwh")
OPTIONAL: Final = ("signal", "quality", "low", "high", "scope")

_PORTAL_TIME: Final = re.compile(r"datetime \(utc\)")
_PORTAL_ZONE: Final = re.compile(r"zone id")
_PORTAL_ESTIMATED: Final = re.compile(r"data estimated|estimated")
# Seen between 2021 and 2026: "(LCA)" and "(Life cycle)", "Carbon Intensity" and "Carbon intensity", the subscript two also lost.
_PORTAL_NUMBERS: Final = {
    Signal.DIRECT: re.compile(r"carbon intensity .*\(direct\)"),
    Signal.LIFECYCLE: re.compile(r"carbon intensity .*\((?:lca|life[ -]?cycle)\)"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The file's column for each of our names, and the columns that hold numbers with the signal each counts.

    A signal of None means that the signal column, or the default, tells it.
    """

    columns: Mapping[str, str]
    numbers: tuple[tuple[Signal | None, str], ...]
    is_portal: bool = False
    scope: Scope | None = None

    @property
    def wanted(self) -> list[str]:
        """Every column of the file that is read, once."""
        return list(dict.fromkeys([*self.columns.values(), *(column for _, column in self.numbers)]))


def find_layout(header: Sequence[str], renamed: Mapping[str, str]) -> Layout:
    """Recognise the columns by the header; `renamed` says which column stands for one of our names.

    Raises InvalidInput that names what is missing, and for a name that is nearly one of ours, so that no slip is passed over.
    """
    portal = None if renamed else _portal(header)
    layout = portal or _native(header, renamed)
    for column in layout.wanted:
        if list(header).count(column) > 1:
            raise refused("header", f"the column {shown(column)} occurs more than once")
    return layout


def _portal(header: Sequence[str]) -> Layout | None:
    def find(pattern: re.Pattern[str]) -> str | None:
        return next((name for name in header if pattern.fullmatch(" ".join(name.lower().split()))), None)

    start, zone, estimated = find(_PORTAL_TIME), find(_PORTAL_ZONE), find(_PORTAL_ESTIMATED)
    numbers = tuple((signal, name) for signal, pattern in _PORTAL_NUMBERS.items() if (name := find(pattern)))
    if start is None or zone is None or not numbers:
        return None
    columns = {"zone": zone, "start": start} | ({"estimated": estimated} if estimated else {})
    return Layout(columns, numbers, is_portal=True, scope=Scope.CONSUMPTION)


def _native(header: Sequence[str], renamed: Mapping[str, str]) -> Layout:
    by_name = {name.strip().lower(): name for name in reversed(header)}
    for ours, theirs in renamed.items():
        if ours not in (*REQUIRED, *OPTIONAL):
            raise refused("columns", f"{shown(ours)} is not a column of ours; they are {', '.join((*REQUIRED, *OPTIONAL))}")
        if theirs.strip().lower() not in by_name:
            raise refused("columns", f"the file has no column {shown(theirs)}; it has {_listed(header)}")
    names = {ours: by_name.get(renamed.get(ours, ours).strip().lower()) for ours in (*REQUIRED, *OPTIONAL)}
    columns = {ours: theirs for ours, theirs in names.items() if theirs is not None}
    missing = [ours for ours in REQUIRED if ours not in columns]
    if missing:
        raise refused("header", f"no column {' and '.join(missing)}; the file has {_listed(header)}{_mend(header)}")
    for name in set(by_name) - {theirs.strip().lower() for theirs in columns.values()}:
        if slip := get_close_matches(name, set(OPTIONAL) - columns.keys(), n=1, cutoff=0.75):
            raise refused("header", f"the column {shown(name)} is unknown; did you mean {slip[0]}? Rename it or leave it out")
    return Layout({ours: theirs for ours, theirs in columns.items() if ours != "g_per_kwh"}, ((None, columns["g_per_kwh"]),))


def _listed(header: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in header[:12]) + (" ..." if len(header) > 12 else "")  # noqa: PLR2004 - a line of text


def _mend(header: Sequence[str]) -> str:
    for sign, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and sign in header[0]:
            return f"; it is split by {name}: save it with commas"
    return "; name them by columns, for example g_per_kwh=g,start=utc"
