"""How Sphinx makes the site at /docs: Markdown by MyST, dressed by Furo. `docs/site/build.py` prepares what it reads."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_ROOT = Path(__file__).resolve().parents[2]

project = "Gridgram"
author = "The Gridgram authors"
project_copyright = f"{author}, Apache-2.0"
release = version = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True

templates_path = [str(Path(__file__).with_name("templates"))]
html_theme = "furo"
html_title = "Gridgram"
html_static_path = [str(Path(__file__).with_name("static"))]
html_css_files = ["site.css"]
html_js_files = [("tables.js", {"defer": "defer"}), ("try.js", {"defer": "defer"})]
html_favicon = str(_ROOT / "service" / "static" / "page" / "icon.svg")
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/service.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {"sidebar_hide_name": False}
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

PLAIN = ("csv", "url")
"""Languages of examples that nobody colours."""


def setup(app: Sphinx) -> None:
    """Show examples without colours where there are none."""
    for name in PLAIN:
        app.add_lexer(name, TextLexer)
