"""What comes in: the query for the present of all zones."""

from __future__ import annotations

from service.requests import Request, SignalName


class NowQuery(Request):
    """A signal."""

    signal: SignalName = "lifecycle"
