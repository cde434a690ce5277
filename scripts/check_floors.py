"""Compare both locks, the project's own bounds and what is installed with the table of lowest versions, dependency-floors.toml.

    python scripts/check_floors.py [FOLDER]

Ends with 1 and one line a fault. A package that a lock should hold and does not, or that is not installed, is a fault too.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)


def faults(folder: Path) -> Iterator[str]:
    """What is older than it may be, or not there, one sentence each."""
    table: list[dict[str, Any]] = tomllib.loads((folder / "dependency-floors.toml").read_text(encoding="utf-8"))["floor"]
    bounds = _bounds(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])
    for floor in table:
        name, lowest = floor["package"], Version(floor["version"])
        told = f"{name} must be {lowest} or newer ({', '.join(floor['advisories'])})"
        for lock in floor["locks"]:
            pinned = [found for found in PINNED.findall((folder / lock).read_text(encoding="utf-8")) if found[0] == name]
            if not pinned:
                yield f"{lock} does not hold {name}, so nobody knows its version; {told}"
            yield from (f"{lock} holds {name} {text}; {told}" for _, text in pinned if Version(text) < lowest)
        if name in bounds and bounds[name] < lowest:
            yield f"pyproject.toml allows {name} {bounds[name]}; {told}"
        try:
            if Version(version(name)) < lowest:
                yield f"{name} {version(name)} is installed; {told}"
        except PackageNotFoundError:
            yield f"{name} is not installed, so nobody knows what would run; {told}"


def _bounds(requirements: list[str]) -> dict[str, Version]:
    """The lowest version that each requirement allows; 0 where it sets none."""
    bounds = {}
    for requirement in map(Requirement, requirements):
        lowest = [Version(part.version) for part in requirement.specifier if part.operator in {">=", "=="}]
        bounds[requirement.name] = max(lowest, default=Version("0"))
    return bounds


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
    sys.exit("\n".join(found) or 0)
