"""The built site as files: which there are, and the bytes of one. Only what its list names is ever read, so no path leads out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.html"
CONTENT_TYPES: Final = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "png": "image/png",
    "py": "text/plain",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
OTHER_TYPE: Final = "text/plain"


class NotBuilt(Exception):
    """No site is in the folder."""


class NoSuchFile(Exception):
    """The site has no file of that name."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the site: its bytes, as gzip too where that is shorter, and the version by which pages ask for it."""

    body: bytes
    packed: bytes | None
    content_type: str
    version: str


@dataclass(slots=True)
class Site:
    """The site in a folder. One that is built while the service runs is found, and one that is built anew too."""

    folder: Path
    _versions: dict[str, str] = field(default_factory=dict)
    _read_at: int = 0

    def read(self, name: str) -> File:
        """A file by its path in the site; the start page by none. Raises NotBuilt and NoSuchFile."""
        name = name or INDEX
        try:
            version = self._listed().get(name)
            if version is None:
                raise NoSuchFile(name)
            path = self.folder / name
            packed = path.with_name(f"{path.name}.gz")
            content_type = CONTENT_TYPES.get(path.suffix.removeprefix("."), OTHER_TYPE)
            return File(path.read_bytes(), packed.read_bytes() if packed.exists() else None, content_type, version)
        except FileNotFoundError as error:
            raise NotBuilt(self.folder) from error

    def _listed(self) -> dict[str, str]:
        """The version of each file by its path, read anew when the list has changed."""
        manifest = self.folder / MANIFEST
        changed_at = manifest.stat().st_mtime_ns
        if changed_at != self._read_at:
            self._versions = json.loads(manifest.read_bytes())
            self._read_at = changed_at
        return self._versions
