"""A million mixed requests leave the service as large as it was when it was warm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import tell

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 1_000_000
MOST_GROWTH_PERCENT = 5.0


@pytest.mark.soak
def test_memory_is_flat_over_a_million_mixed_requests() -> None:
    command = [sys.executable, "bench/memory.py", str(REQUESTS)]

    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"GRIDGRAM_OFFLINE": "1"}, capture_output=True, text=True, check=True)

    tell(done.stdout)
    growth = re.search(r"at the end .*: ([+-][0-9.]+)%", done.stdout)
    statuses = re.search(r"statuses (\{.*\})", done.stdout)
    assert growth
    assert statuses
    assert float(growth[1]) <= MOST_GROWTH_PERCENT
    assert not re.search(r"\b5\d\d: ", statuses[1])
