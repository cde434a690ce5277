"""What a caller is told who may not ask: no key, the wrong one, or too much.

GridgramError
+-- Refused               carries the headers that belong to the refusal
    +-- Unauthorized      send a key
    +-- Forbidden         send another key
    +-- RateLimited       wait some seconds
    +-- QuotaExhausted    wait until tomorrow, or ask for hours that are held
"""

from __future__ import annotations

from typing import ClassVar

from gridgram.errors import GridgramError


class Refused(GridgramError):
    """The caller may not ask this, or not now; `headers` go with the answer."""

    code: ClassVar[str] = "refused"

    def __init__(self, text: str, headers: dict[str, str]) -> None:
        self.headers = headers
        super().__init__(text)


class Unauthorized(Refused):
    """The request brings no key, or one that nobody was given."""

    code: ClassVar[str] = "unauthorized"

    def __init__(self, text: str) -> None:
        super().__init__(text, {"WWW-Authenticate": 'Bearer realm="gridgram"'})


class Forbidden(Refused):
    """The key is good, and not for this."""

    code: ClassVar[str] = "forbidden"

    def __init__(self, text: str) -> None:
        super().__init__(text, {})


class RateLimited(Refused):
    """The key has asked too often in the last minute."""

    code: ClassVar[str] = "rate-limited"

    def __init__(self, name: str, requests_per_minute: int, retry_after_seconds: int) -> None:
        told = f"The key {name!r} may ask {requests_per_minute} times a minute; ask again in {retry_after_seconds} s."
        super().__init__(told, {"Retry-After": str(retry_after_seconds)})


class QuotaExhausted(Refused):
    """The request needs a source, and the key has caused as many calls to sources as it may in one day."""

    code: ClassVar[str] = "quota-exhausted"

    def __init__(self, name: str, calls_per_day: int, retry_after_seconds: int) -> None:
        told = (
            f"The hours asked for are not all held, and the key {name!r} has caused its {calls_per_day} calls to sources of today; "
            f"the next day (UTC) begins in {retry_after_seconds} s."
        )
        super().__init__(told, {"Retry-After": str(retry_after_seconds)})
