"""The lines of a text file, plain or gzip, in blocks of whole lines with their numbers; memory does not grow with the file."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Final

from service.importing.csv_file import GZIP_MAGIC
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES: Final = 8 << 20
MAX_LINE_BYTES: Final = 16 << 20
_MARK: Final = b"\xef\xbb\xbf"


def line_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, every line end as LF, each with the number of its first line. Raises InvalidInput where reading fails."""
    first, rest = 1, b""
    for piece in pieces(path):
        text = rest + piece
        # A CR at the very end may be half of a CR LF: it waits for the next piece.
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        if cut:
            block = _unix(text[:cut])
            yield first, block.removeprefix(_MARK) if first == 1 else block
            first += block.count(b"\n")
        rest = text[cut:]
        if len(rest) > MAX_LINE_BYTES:
            raise refused("file", f"{path.name} has a line of more than {MAX_LINE_BYTES >> 20} MiB; it is not a table of jobs")
    if rest:
        block = _unix(rest)
        yield first, block.removeprefix(_MARK) if first == 1 else block


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, inflated, in pieces of at most BLOCK_BYTES. Raises InvalidInput where reading fails."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if is_gzip else raw as file:
                while piece := file.read(BLOCK_BYTES):
                    yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise refused("file", f"{path.name} is damaged or cut: {error}") from error
    except OSError as error:
        raise refused("file", f"{path.name} cannot be read: {error.strerror}") from error


def _unix(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
