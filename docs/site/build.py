"""Build the site at /docs from docs/*.md and openapi.yaml: `python docs/site/build.py [FOLDER]`, by default service/static/docs.

Sphinx reads a copy of the pages, so that the contents and the reference of the API, which are made here, stand in no checkout. A link that
leads nowhere ends it. Needs what requirements-docs.lock holds.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from contents import with_contents
from finishing import finish
from reference import reference_pages
from sphinx.cmd.build import main as sphinx_build

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
FOLDER = ROOT / "service" / "static" / "docs"
BESIDE = ("openapi.yaml", "examples", "deploy")
"""What pages link to outside of docs/; each is kept beside the copy as it is beside the pages."""


def prepare(source: Path) -> None:
    """Write what Sphinx reads into an empty folder."""
    shutil.copytree(SITE.parent, source, ignore=shutil.ignore_patterns(SITE.name))
    for name in BESIDE:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source.parent / name)
    contract = yaml.load((ROOT / "openapi.yaml").read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    for name, text in reference_pages(contract).items():
        page = source / "reference" / name
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8")
    index = source / "index.md"
    index.write_text(with_contents(index.read_text(encoding="utf-8")), encoding="utf-8")


def build(folder: Path) -> int:
    """Put the site into a folder, in place of what is there, once all of it is made. Gives the exit status of Sphinx."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="docs-", dir=folder.parent) as scratch:
        source, made = Path(scratch, "source", "docs"), Path(scratch, "made")
        source.parent.mkdir()
        prepare(source)
        options = ["--fail-on-warning", "--keep-going", "--quiet", "--builder", "html", "--conf-dir", str(SITE)]
        if status := sphinx_build([*options, "--doctree-dir", str(Path(scratch, "trees")), str(source), str(made)]):
            return status
        finish(made)
        if folder.exists():
            folder.rename(Path(scratch, "before"))
        made.rename(folder)
    return 0


def main() -> None:
    """Build, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder.resolve()
    if status := build(folder):
        sys.exit(status)
    files = [file for file in folder.rglob("*") if file.is_file()]
    plain = [file for file in files if file.suffix != ".gz"]
    sys.stdout.write(f"{folder}: {len(plain)} files, {sum(file.stat().st_size for file in plain) / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
