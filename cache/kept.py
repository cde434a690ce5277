"""What was made from hours, as the stores keep it: the body under a checksum that also covers its name, never a pickle.

magic "GGSK" | version 1 | BLAKE2b-128 of the name and the body | body
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from gridgram.errors import StoreError

MAGIC: Final = b"GGSK\x01"
CHECKSUM_BYTES: Final = 16
MAX_NAME_LENGTH: Final = 200
MAX_SECONDS: Final = 10 * 366 * 86_400.0
"""The longest time that a store is told; more would not fit into its clock."""

_PREFIX: Final = len(MAGIC) + CHECKSUM_BYTES


def pack_kept(name: str, body: bytes) -> bytes:
    """The body as it is stored under this name."""
    return b"".join([MAGIC, _checksum(name, body), body])


def unpack_kept(name: str, packed: bytes) -> bytes | None:
    """The body that was packed under this name; None for bytes that are damaged, cut, of another version or of another name."""
    body = packed[_PREFIX:]
    return body if packed[:_PREFIX] == MAGIC + _checksum(name, body) else None


def checked_name(name: str) -> str:
    """The name of a claim, a source or a kept thing; raises StoreError unless it is visible ASCII, at most 200 characters."""
    if not 0 < len(name) <= MAX_NAME_LENGTH or not all("!" <= letter <= "~" for letter in name):
        raise StoreError(f"{name[:40]!r} is no name for the store: up to {MAX_NAME_LENGTH} visible ASCII characters are.")
    return name


def bounded_seconds(seconds: float) -> float:
    """A time that a store can be told: at most ten years; raises StoreError unless it is a positive number. [s]"""
    if not seconds > 0:
        raise StoreError(f"The store cannot keep anything for {seconds} s.")
    return min(seconds, MAX_SECONDS)


def _checksum(name: str, body: bytes) -> bytes:
    digest = blake2b(f"{len(name)}:{name}:".encode(), digest_size=CHECKSUM_BYTES)
    digest.update(body)
    return digest.digest()
