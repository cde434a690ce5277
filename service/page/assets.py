"""The files of the page: read and packed once, named by an edition that changes whenever one of them does."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

EDITION_MARK: Final = b"{{edition}}"
"""Stands in index.html where the edition goes."""
CONTENT_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, as it is and as gzip."""

    body: bytes
    packed: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Edition:
    """All files of the page; `name` is a digest over them, so that each may be kept by a browser for ever under it."""

    name: str
    index: Asset
    assets: dict[str, Asset]


@cache
def edition() -> Edition:
    """The page that ships with this package. The first call reads and packs it, some 50 ms."""
    folder = resources.files("service").joinpath("static", "page")
    files = {file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=lambda file: file.name) if file.is_file()}
    digest = hashlib.blake2b(digest_size=8)
    for name, body in files.items():
        digest.update(name.encode() + b"\0" + body + b"\0")
    index = files.pop(INDEX).replace(EDITION_MARK, digest.hexdigest().encode())
    assets = {name: _asset(body, CONTENT_TYPES[name.rpartition(".")[2]]) for name, body in files.items()}
    return Edition(digest.hexdigest(), _asset(index, "text/html"), assets)


def _asset(body: bytes, content_type: str) -> Asset:
    return Asset(body, gzip.compress(body, mtime=0), content_type)
