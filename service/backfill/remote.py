"""Files of jobs and outputs by URL, through fsspec: what a path is on a machine of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import SettingsError
from service.importing.faults import refused

if TYPE_CHECKING:
    from types import ModuleType

_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Remote:
    """A file by its URL."""

    url: str

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def open(self) -> Any:  # noqa: ANN401 - a file of fsspec
        """The file, open to be read."""
        filesystem, path = file_system(self.url)
        return filesystem.open(path, "rb")


def place_of(text: str) -> Path | str:
    """What a text names: a URL, or an absolute path on this machine, which is one on each worker too where they share its disk."""
    if "://" in text and not text.startswith("file://"):
        return text.rstrip("/")
    return Path(text.removeprefix("file://")).absolute()


def opened(place: str) -> Path | Remote:
    """What a place is read from."""
    return Remote(place) if "://" in place else Path(place)


def listed(place: Path | str) -> list[str]:
    """The Parquet files at a place: itself, those of a folder, or those that a pattern names; in order. Raises InvalidInput."""
    if isinstance(place, Path):
        if place.is_dir():
            found = [str(path) for path in place.rglob("*.parquet") if not any(part[0] in "._" for part in path.relative_to(place).parts)]
        elif _GLOB.search(str(place)) and not place.exists():
            import glob  # noqa: PLC0415 - only here

            found = glob.glob(str(place), recursive=True)  # noqa: PTH207 - the pattern is absolute
        else:
            found = [str(place)]
    else:
        found = _listed_remote(place)
    if not found:
        raise refused("file", f"there are no Parquet files at {place}")
    return sorted(found)


def _listed_remote(url: str) -> list[str]:
    filesystem, path = file_system(url)
    try:
        if _GLOB.search(path):
            names = filesystem.glob(path)
        elif filesystem.isdir(path):
            names = filesystem.glob(f"{path.rstrip('/')}/**/*.parquet")
        else:
            names = [path]
    except OSError as error:
        raise refused("file", f"{url} cannot be listed: {error}") from error
    return [filesystem.unstrip_protocol(name) for name in names]


def stamp_of(place: str) -> list[str]:
    """What tells whether a file is the same as before: its place, size and time. Raises InvalidInput."""
    try:
        if "://" not in place:
            status = Path(place).stat()
            return [place, str(status.st_size), str(status.st_mtime_ns)]
        filesystem, path = file_system(place)
        told = filesystem.info(path)
    except OSError as error:
        raise refused("file", f"{place} cannot be read: {error.strerror or error}") from error
    return [place, str(told.get("size")), str(told.get("ETag") or told.get("mtime") or told.get("created") or "")]


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it. Raises SettingsError where its package is not installed."""
    fsspec = needed("fsspec")
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"{url.partition('://')[0]}:// cannot be read here: {error}") from error
    return found


def needed(name: str) -> ModuleType:
    """A package of the extra `dask`. Raises SettingsError where it is not installed."""
    from importlib import import_module  # noqa: PLC0415 - only here

    try:
        return import_module(name)
    except ImportError as error:
        raise SettingsError(f"{name} is not installed; pip install 'gridgram[dask]'") from error
