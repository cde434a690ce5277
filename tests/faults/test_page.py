"""The page of faults names tests that there are, and leaves out none of those that make faults."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))


def defined(file: str) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", (ROOT / file).read_text(), re.MULTILINE))


def test_every_test_that_the_page_names_is_there() -> None:
    assert [f"{file}::{name}" for file, name in NAMED if name not in defined(file)] == []


def test_every_file_that_makes_faults_is_on_the_page() -> None:
    files = {f"tests/faults/{path.name}" for path in Path(__file__).parent.glob("test_*.py")} - {"tests/faults/test_page.py"}

    assert files <= {file for file, _ in NAMED}
