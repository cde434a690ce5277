"""Where a Redis store is and how it is reached, read from a URL; knows no Redis library.

    redis://[user[:password]@]host[:port][/database]              one server; rediss:// inside TLS
    redis+cluster://host:port,host:port                           a cluster; any of its nodes will do
    redis+sentinel://host:port,host:port/service[/database]       the master that the sentinels name

`rediss+cluster://` and `rediss+sentinel://` are the same inside TLS. User and password are percent-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

DEFAULT_PORTS: Final = {"": 6379, "cluster": 6379, "sentinel": 26379}
HIGHEST_PORT: Final = 65_535
LIKE: Final = "write it like redis://user@host:6379/0, redis+cluster://host:6379,host:6380 or redis+sentinel://host:26379/service"

_URL: Final = re.compile(r"(?P<scheme>rediss?)(\+(?P<kind>cluster|sentinel))?://((?P<login>.*)@)?(?P<hosts>[^/?#@]+)(?P<path>/[^?#]*)?")
_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<name>[^:\[\]\s,]+))(?::(?P<port>\d{1,5}))?")


class RedisKind(StrEnum):
    """How the servers stand together."""

    SINGLE = ""
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """A Redis store: its servers (or sentinels) and how to log in."""

    kind: RedisKind
    is_tls: bool
    hosts: tuple[tuple[str, int], ...]
    database: int = 0
    service_name: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Its URL without user and password, for people and logs."""
        scheme = f"{'rediss' if self.is_tls else 'redis'}{'+' if self.kind else ''}{self.kind}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        path = "" if self.kind is RedisKind.CLUSTER else f"/{self.database}"
        return f"{scheme}://{hosts}{f'/{self.service_name}' if self.service_name else ''}{path}"


def is_redis_url(text: str) -> bool:
    """Whether a setting means Redis at all, rightly written or not."""
    return text.lower().startswith("redis")


def read_redis_url(url: str) -> RedisPlace:
    """Read a URL. Raises ValueError that says what is wrong and never repeats the user or the password."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError(f"it is not a Redis URL; {LIKE}")
    kind = RedisKind(parts["kind"] or "")
    hosts = tuple(_read_host(host, DEFAULT_PORTS[kind]) for host in parts["hosts"].split(","))
    if kind is RedisKind.SINGLE and len(hosts) > 1:
        raise ValueError(f"it names {len(hosts)} servers; {LIKE}")
    path = [unquote(step) for step in (parts["path"] or "").split("/") if step]
    service_name = path.pop(0) if kind is RedisKind.SENTINEL and path else ""
    if kind is RedisKind.SENTINEL and not service_name:
        raise ValueError(f"it does not name the sentinels' service; {LIKE}")
    username, _, password = (parts["login"] or "").partition(":")
    return RedisPlace(
        kind,
        parts["scheme"] == "rediss",
        hosts,
        _read_database(path, kind),
        service_name,
        unquote(username) or None,
        unquote(password) or None,
    )


def _read_host(text: str, default_port: int) -> tuple[str, int]:
    host = _HOST.fullmatch(text)
    if host is None:
        raise ValueError(f"{text!r} is no host and port; {LIKE}")
    port = int(host["port"] or default_port)
    if not 0 < port <= HIGHEST_PORT:
        raise ValueError(f"{port} is no port; {LIKE}")
    return host["six"] or host["name"], port


def _read_database(path: list[str], kind: RedisKind) -> int:
    if not path:
        return 0
    if kind is RedisKind.CLUSTER or len(path) > 1 or not path[0].isascii() or not path[0].isdecimal():
        raise ValueError(f"'/{'/'.join(path)}' is no database; {LIKE}")
    return int(path[0])
