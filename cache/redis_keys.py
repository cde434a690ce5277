"""The names of all keys in Redis: prefix and schema version first, then a hash tag, so that a cluster keeps a zone on one node.

gridgram:1:{FR}:lifecycle:2024-03    one month, packed
gridgram:1:{FR}                      the zone's index, a hash: lifecycle:2024-03 -> first hour, end hour, hours
gridgram:1:{FR}:untold                    in a cluster: months of the zone were written, and the shared keys do not say so yet
gridgram:1:{shared}zones                  the zones that have an index, a set
gridgram:1:{shared}token                  changes with every write
gridgram:1:{shared}pauses                 sources to leave alone, a hash: name -> until [unix ms]
gridgram:1:claim:NAME, gridgram:1:kept:NAME
gridgram:1:bucket:NAME                    what is taken out of a bucket, a hash: used, at [unix ms]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridgram.errors import StoreError

if TYPE_CHECKING:
    from gridgram.interval import Month

SCHEMA_VERSION: Final = 1
DEFAULT_PREFIX: Final = "gridgram:"
PREFIX_PATTERN: Final = r"[A-Za-z0-9:._-]{1,64}"
_ZONE: Final = re.compile(r"[^\s{}:]{1,100}")


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """The keys behind one prefix."""

    prefix: str = DEFAULT_PREFIX

    def index(self, zone: str) -> str:
        """The index of a zone. Raises StoreError for a zone that would break the key's form."""
        if not is_zone(zone):
            raise StoreError(f"{zone[:40]!r} cannot be the zone of stored hours.")
        return f"{self._start}{{{zone}}}"

    def chunk(self, zone: str, signal: str, month: Month) -> str:
        """One month of a zone and signal."""
        return f"{self.index(zone)}:{field(signal, month)}"

    def untold(self, zone: str) -> str:
        """The mark that months of a zone were written and nobody was told yet; the token of who wrote them."""
        return f"{self.index(zone)}:untold"

    @property
    def zones(self) -> str:
        """The zones that have an index."""
        return f"{self._start}{{shared}}zones"

    @property
    def token(self) -> str:
        """What changes with every write."""
        return f"{self._start}{{shared}}token"

    @property
    def pauses(self) -> str:
        """The sources to leave alone."""
        return f"{self._start}{{shared}}pauses"

    def claim(self, name: str) -> str:
        """A claim."""
        return f"{self._start}claim:{name}"

    def kept(self, name: str) -> str:
        """A kept thing."""
        return f"{self._start}kept:{name}"

    def bucket(self, name: str) -> str:
        """A bucket."""
        return f"{self._start}bucket:{name}"

    @property
    def _start(self) -> str:
        return f"{self.prefix}{SCHEMA_VERSION}:"


def is_zone(text: str) -> bool:
    """Whether a zone's name can stand in a key."""
    return _ZONE.fullmatch(text) is not None


def field(signal: str, month: Month) -> str:
    """A month of a signal, as an index names it."""
    return f"{signal}:{month}"
