"""Which request is under way: its id, and the trace of its caller (W3C Trace Context). Every log line of a request carries them."""

from __future__ import annotations

import re
from contextvars import ContextVar
from random import getrandbits
from typing import TYPE_CHECKING, NamedTuple

from multidict import istr

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

REQUEST_ID, TRACEPARENT = istr("X-Request-ID"), istr("traceparent")
"""Names of headers, folded once and not in each request."""
_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


class Trace(NamedTuple):
    """What log lines of one request have in common; the two of the trace are empty when the caller is part of none."""

    request_id: str
    trace_id: str = ""
    span_id: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: fact for name, fact in self._asdict().items() if fact}


TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The request that this runs for, None outside of any."""


def trace_of(headers: Mapping[str, str]) -> Trace:
    """Read a request's id and trace; an id that is missing or unsound is made anew, a trace never."""
    given = headers.get(REQUEST_ID)
    request_id = given if given is not None and _SOUND_ID.fullmatch(given) else f"{getrandbits(64):016x}"
    parent = headers.get(TRACEPARENT)
    if parent is None:
        return Trace(request_id)
    found = _TRACE.fullmatch(parent.strip())
    # Version 00 ends with its flags; only a later one may go on.
    if found is None or (parent.strip().startswith("00") and found.end(2) + 3 != len(parent.strip())):
        return Trace(request_id)
    return Trace(request_id, found[1], found[2])


def add_trace(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Put the request under way into a log line, unless the line names one itself (a processor of structlog)."""
    trace = TRACE.get()
    if trace is not None:
        for name, fact in trace.facts.items():
            event.setdefault(name, fact)
    return event
