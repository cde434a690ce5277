"""Where the optional folder of real data lies; a test that needs it skips, saying so, where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("GRIDGRAM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(*parts: str) -> Path:
    """The path of a file in the folder of real data; skips the calling test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the real data file {'/'.join(parts)}, which is not beside this checkout")
    return path
