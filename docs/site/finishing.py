"""The last hand on what Sphinx made: nothing inline, all packed, a list of all files, and the licences of what came along.

The service sends the site under `default-src 'self'`, so the script, the styles and the presentation attributes that Furo writes into each
page, and the pictures that it writes into style sheets, go into files or are told as attributes of SVG. What is left inline ends the build.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "manifest.json"
CARRIED: Final = ("sphinx", "furo", "sphinx-basic-ng", "snowballstemmer")
"""The packages of which files are in the site."""
REPLACED: Final = {
    'style="opacity: 50%"': 'opacity="0.5"',
    'style="display: none;"': 'display="none"',
    'role="heading"': 'role="heading" aria-level="2"',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    '<div class="highlight"><pre>': '<div class="highlight"><pre tabindex="0">',
    '<div id="search-results">': '<h1>Search</h1><div id="search-results">',
}
"""What the theme writes and its policy forbids, or a screen reader or a keyboard trips over."""
PACKED: Final = frozenset({".html", ".js", ".css", ".svg", ".json", ".yaml", ".yml", ".txt", ".py"})
DROPPED: Final = (
    ".buildinfo",
    "objects.inv",
    "_static/**/*.map",
    "_static/scripts/furo-extensions.js",
    "_static/debug.css",
    "_static/*.png",
)
"""What nobody reads here."""
_SCRIPT = re.compile(r"<script>\s*(.*?)\s*</script>", re.DOTALL)
_STYLE = re.compile(r"<style>\s*(.*?)\s*</style>", re.DOTALL)
_LEFT = re.compile(r"<script>|<style|\sstyle=|\son\w+=")
_PICTURE = re.compile(r"""url\((?P<quote>['"])data:image/svg\+xml;charset=utf-8,(?P<picture>.*?)(?P=quote)\)""")
_VERSION = re.compile(r'(?P<head>(?:href|src)=")(?P<file>[^"?#:]+)(?:\?v=\w+)?"')


def finish(site: Path) -> None:
    """Make the site fit to be served."""
    site = site.resolve()
    for file in [file for pattern in DROPPED for file in site.glob(pattern)]:
        file.unlink()
    _take_out(site)
    for sheet in (site / "_static").rglob("*.css"):
        _take_out_pictures(sheet)
    _carry_licences(site)
    files = sorted(file for file in site.rglob("*") if file.is_file())
    versions = {file.relative_to(site).as_posix(): f"{zlib.crc32(file.read_bytes()):08x}" for file in files if file.suffix != ".html"}
    for page in site.rglob("*.html"):
        _name_versions(site, page, versions)
    versions |= {page.relative_to(site).as_posix(): "" for page in site.rglob("*.html")}
    for file in files:
        if file.suffix in PACKED:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    (site / MANIFEST).write_text(json.dumps(dict(sorted(versions.items())), indent=0), encoding="utf-8")


def _take_out(site: Path) -> None:
    """Put what stands inline in every page into one file."""
    scripts: set[str] = set()
    styles: set[str] = set()
    for page in site.rglob("*.html"):
        static = "../" * (len(page.relative_to(site).parts) - 1) + "_static/"
        text = page.read_text(encoding="utf-8")
        scripts.update(_SCRIPT.findall(text))
        styles.update(_STYLE.findall(text))
        text = _SCRIPT.sub(f'<script src="{static}scheme.js"></script>', text)
        text = _STYLE.sub(f'<link rel="stylesheet" href="{static}colours.css">', text)
        for theirs, ours in REPLACED.items():
            text = text.replace(theirs, ours)
        if left := _LEFT.search(text):
            raise SystemExit(
                f"{page.relative_to(site)} has something inline that its policy forbids: {text[left.start() : left.start() + 80]!r}"
            )
        page.write_text(text, encoding="utf-8")
    if len(scripts) != 1 or len(styles) != 1:
        raise SystemExit(f"the theme wrote {len(scripts)} inline scripts and {len(styles)} styles; one of each is known")
    (site / "_static" / "scheme.js").write_text(f"{scripts.pop()}\n", encoding="utf-8")
    (site / "_static" / "colours.css").write_text(f"{styles.pop()}\n", encoding="utf-8")


def _take_out_pictures(sheet: Path) -> None:
    """Put the pictures that stand in a style sheet beside it."""

    def beside(found: re.Match[str]) -> str:
        picture = unquote(found["picture"]).encode()
        name = f"picture-{zlib.crc32(picture):08x}.svg"
        (sheet.parent / name).write_bytes(picture)
        return f"url({name})"

    text = _PICTURE.sub(beside, sheet.read_text(encoding="utf-8"))
    if "data:" in text:
        raise SystemExit(f"{sheet.name} holds a picture of a kind that is not known")
    sheet.write_text(text, encoding="utf-8")


def _carry_licences(site: Path) -> None:
    """Put the licence of everything that came along beside it."""
    for name in CARRIED:
        texts = [file for file in distribution(name).files or () if re.match(r"(LICEN[CS]E|COPYING|AUTHORS)", file.name)]
        if not texts:
            raise SystemExit(f"{name} brings no licence; the site carries files of it")
        told = "\n\n".join(file.read_text(encoding="utf-8") for file in texts)
        (site / "_static" / f"{name}.LICENSE.txt").write_text(told, encoding="utf-8")


def _name_versions(site: Path, page: Path, versions: dict[str, str]) -> None:
    """Let a page ask for its files under their version, so that each may be kept for ever."""

    def named(found: re.Match[str]) -> str:
        file = (page.parent / found["file"]).resolve()
        version = versions.get(file.relative_to(site).as_posix()) if file.is_relative_to(site) else None
        return f'{found["head"]}{found["file"]}?v={version}"' if version else found[0]

    page.write_text(_VERSION.sub(named, page.read_text(encoding="utf-8")), encoding="utf-8")
