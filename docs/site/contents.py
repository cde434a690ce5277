"""The contents of the site: docs/index.md lists all pages as plain links under headings, and the tree of pages is made of those."""

from __future__ import annotations

import re

CONTRACT = "../openapi.yaml"
REFERENCE = "reference/index.md"
"""Where the site has the reference, the checkout has the contract alone."""
_LINK = re.compile(r"\]\(([^):#]+\.md)\)")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def with_contents(index: str) -> str:
    """The start page with a tree of the pages for each of its sections."""
    index = index.replace(f"]({CONTRACT})", f"]({REFERENCE})")
    _, *parts = _SECTION.split(index)
    trees = [_tree(caption, dict.fromkeys(_LINK.findall(text))) for caption, text in zip(parts[::2], parts[1::2], strict=True)]
    return "\n".join([index, *trees])


def _tree(caption: str, pages: dict[str, None]) -> str:
    entries = "\n".join(page.removesuffix(".md") for page in pages)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"
