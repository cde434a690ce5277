"""The documents at /docs as `make site` built them, or the reason why they are not looked at."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "service" / "static" / "docs"
SOURCE = ROOT / "docs" / "site"
NOT_BUILT = "NOT TESTED: the documents at /docs as they are served. They are not built here (make site)."


def is_built() -> bool:
    """Whether there is a site to look at."""
    return (FOLDER / "manifest.json").is_file()


def needs_site() -> None:
    """Skip a test that looks at the built site where there is none."""
    if not is_built():
        pytest.skip(NOT_BUILT)


def site_files() -> dict[str, str]:
    """The files of the built site and their versions."""
    needs_site()
    files: dict[str, str] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    return files


def site_module(name: str) -> ModuleType:
    """A module of what builds the site; those that it imports lie beside it."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, SOURCE / f"{name}.py")
    assert spec
    assert spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SOURCE))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SOURCE))
    return module
