"""What can go wrong with a source, cut by what the engine does next.

    UpstreamError                 the answer cannot be used
    +-- NotThere                  no connection: refused, name not found                         not again
    +-- Unreachable               the connection broke, or the source is being left alone         try again
    +-- TooSlow                   the deadline passed                                            not again, no time is left
    +-- OverRate                  our own rate for it left no time: says nothing of the source    not again, no time is left
    +-- OverQuota                 who asks has caused as many calls as they may today            not again
    +-- UpstreamFault             the source says that it failed (5xx)                           try again
    +-- RateLimited               asked too often (429); carries what Retry-After says           pause, then again
    +-- KeyRefused                the key is wrong or may not do this (401, 403)                  not for a quarter of an hour
    +-- RequestRefused            the source does not take this question (other 4xx, redirects)  not again
    +-- AnswerTooLarge            more bytes than the source ever sends                          not again
    +-- UnitSlip                  what it states is in another unit than it was                  not for a quarter of an hour

No text of these holds a query or a header: secrets travel there. What a source echoes of a secret is struck out by the engine.
"""

from __future__ import annotations

from typing import ClassVar

from gridgram.errors import UpstreamError


class NotThere(UpstreamError):
    """No connection to the source could be made."""

    kind: ClassVar[str] = "not_there"


class Unreachable(UpstreamError):
    """The source did not answer, or its answer broke off."""

    kind: ClassVar[str] = "unreachable"


class TooSlow(UpstreamError):
    """The source did not finish before the deadline."""

    kind: ClassVar[str] = "too_slow"


class OverRate(UpstreamError):
    """The source may not be asked that often, and no time was left to wait."""

    kind: ClassVar[str] = "over_rate"


class OverQuota(UpstreamError):
    """Whoever asks has caused as many calls to sources as they may today; says nothing of the source."""

    kind: ClassVar[str] = "over_quota"


class UpstreamFault(UpstreamError):
    """The source answered that it failed itself."""

    kind: ClassVar[str] = "fault"


class RateLimited(UpstreamError):
    """The source wants to be asked less often; `pause_seconds` is what it said, None when it said nothing."""

    kind: ClassVar[str] = "rate_limited"

    def __init__(self, text: str, pause_seconds: float | None) -> None:
        self.pause_seconds = pause_seconds
        super().__init__(text)


class KeyRefused(UpstreamError):
    """The source does not take the key, or the key may not ask this."""

    kind: ClassVar[str] = "key_refused"


class RequestRefused(UpstreamError):
    """The source does not take the question."""

    kind: ClassVar[str] = "refused"


class AnswerTooLarge(UpstreamError):
    """The answer is larger than any that the source sends."""

    kind: ClassVar[str] = "too_large"


class UnitSlip(UpstreamError):
    """The source states intensities in another unit than it did, or than any grid's are in."""

    kind: ClassVar[str] = "unit_slip"


def kind_of(error: UpstreamError) -> str:
    """The kind of an error as metrics and health name it; what `parse` could not read is `unreadable`."""
    return str(getattr(error, "kind", "unreadable"))
