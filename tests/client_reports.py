"""What scripts in the clients' own environment report: real packages that `make setup-clients` installs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.running import CLIENTS_PYTHON

CLIENTS = Path(__file__).resolve().parent / "clients"
SECONDS = 300


def client_report(script: str, home: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that a script of `tests/clients` prints, run in a folder of its own; skips, loudly, where the environment is not there."""
    if not CLIENTS_PYTHON.exists():
        pytest.skip("THE REAL CLIENTS ARE NOT TESTED: make setup-clients makes the environment that they live in")
    settings = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")} | {"HOME": str(home)}
    command = [str(CLIENTS_PYTHON), str(CLIENTS / script), *arguments]
    outcome = subprocess.run(command, cwd=home, env=settings, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert outcome.returncode == 0, outcome.stderr
    told: dict[str, Any] = json.loads(outcome.stdout)
    return told


def of(reports: dict[str, Any], client: str) -> Any:
    """What one client said; how it failed is the failure of the test."""
    assert "failed" not in reports[client], reports[client]["failed"]
    return reports[client]
