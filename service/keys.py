"""API keys: made here, kept as hashes only, found in constant time.

A key is `NAME.SECRET`; the name is public and stands in logs, the secret is 256 random bits. One line a key says what it may:
`NAME sha256:HEX requests_per_minute=600 upstream_calls_per_day=500 metrics`. A plain hash is enough for a secret that nobody can guess.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gridgram.errors import Fault, InvalidInput, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECRET_BYTES: Final = 32
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_LIMIT = re.compile(r"(requests_per_minute)=([1-9][0-9]{0,8})|(upstream_calls_per_day)=(0|[1-9][0-9]{0,8})")
_METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key: its name, the SHA-256 of its whole text, and what it may. None is no limit."""

    name: str
    digest: bytes
    requests_per_minute: int | None = None
    upstream_calls_per_day: int | None = None
    may_read_metrics: bool = False

    @property
    def line(self) -> str:
        """The line that says all this."""
        limits = {"requests_per_minute": self.requests_per_minute, "upstream_calls_per_day": self.upstream_calls_per_day}
        words = [self.name, f"sha256:{self.digest.hex()}", *(f"{name}={limit}" for name, limit in limits.items() if limit is not None)]
        return " ".join([*words, _METRICS] if self.may_read_metrics else words)


NOBODY: Final = Key("", bytes(32))
"""What a key is compared with whose name nobody has: the comparison takes as long."""


def new_key(
    name: str, *, requests_per_minute: int | None = None, upstream_calls_per_day: int | None = None, may_read_metrics: bool = False
) -> tuple[str, Key]:
    """Make a key: its text, which is kept nowhere, and what is kept of it. Raises InvalidInput for a name that is none."""
    if not NAME.fullmatch(name):
        raise InvalidInput([Fault("NAME", f"{name[:60]!r} names no key; use up to 40 letters, digits, dashes and underscores")])
    text = f"{name}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return text, Key(name, _digest(text), requests_per_minute, upstream_calls_per_day, may_read_metrics)


def read_keys(text: str, source: str) -> dict[str, Key]:
    """Read keys, one a line or between semicolons; `#` begins a remark. Raises SettingsError, which never repeats what it read."""
    keys: dict[str, Key] = {}
    for number, line in enumerate(re.split(r"[\n;]", text), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        key = _read_key(words)
        if key is None:
            raise SettingsError(
                f"{source}, line {number}, is no key; write it like NAME sha256:HASH requests_per_minute=600 upstream_calls_per_day=500, "
                "as `gridgram keys new NAME` prints it"
            )
        if key.name in keys:
            raise SettingsError(f"{source}, line {number}: the key {key.name!r} stands there twice")
        keys[key.name] = key
    if not keys:
        raise SettingsError(f"{source} names no key, so nobody could ask; `gridgram keys new NAME` makes one")
    return keys


def _read_key(words: Sequence[str]) -> Key | None:
    name, digest, *rights = words if len(words) > 1 else [*words, ""]
    found = _HASH.fullmatch(digest)
    limits = {match[1] or match[3]: int(match[2] or match[4]) for word in rights if (match := _LIMIT.fullmatch(word))}
    may_read_metrics = _METRICS in rights
    if not NAME.fullmatch(name) or found is None or len(limits) + may_read_metrics != len(rights):
        return None
    return Key(name, bytes.fromhex(found[1]), limits.get("requests_per_minute"), limits.get("upstream_calls_per_day"), may_read_metrics)


def key_text(headers: Mapping[str, str]) -> str:
    """The key that a request brings; empty for none. A query is not looked at.

    It stands in `Authorization: Bearer`, in `X-API-Key`, in `X-API-Token` (CodeCarbon's API output), in `auth-token` (clients of
    Electricity Maps), or is the password of `Authorization: Basic` (a tracker that takes no more than a URL: http://key:KEY@host).
    """
    authorization = headers.get("Authorization")
    if authorization is not None:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return text.strip()
        if scheme.lower() == "basic":
            return _password(text.strip())
    return headers.get("X-API-Key") or headers.get("X-API-Token") or headers.get("auth-token", "")


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def find_key(keys: Mapping[str, Key], text: str) -> Key | None:
    """The key whose text this is; how long that takes tells nothing of a secret."""
    key = keys.get(text.partition(".")[0], NOBODY)
    is_right = hmac.compare_digest(key.digest, _digest(text))
    return key if is_right and key is not NOBODY else None


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
