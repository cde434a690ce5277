"""The documents at /docs: what the site is made from, and how the service sends it."""

from __future__ import annotations

import gzip
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from service.app import build_gridgram
from service.documents.handlers import SITE
from service.documents.site import NoSuchFile, NotBuilt, Site
from service.openapi import openapi_document
from service.operations import OPERATIONS
from service.settings import Settings
from service.web_app import build_app
from tests.documents import FOLDER, ROOT, needs_site, site_files, site_module
from tests.wire import ask, check_problem, get

if TYPE_CHECKING:
    from tests.running import RunningService

CONTRACT = openapi_document()
IMMUTABLE = "public, max-age=31536000, immutable"
MOST_FIRST_VIEW_BYTES = 60_000


# --- what it is made from


def test_the_start_page_names_every_page_once_in_its_lists() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(([^):#]+\.md)\)", text[text.index("\n## ") :])
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")} - {"index.md"}

    assert sorted(listed) == sorted(pages)


def test_the_tree_of_pages_follows_the_lists_and_has_the_reference_in_place_of_the_contract() -> None:
    made = site_module("contents").with_contents("# Start\n\n## One\n\n- [A](a.md), [B](b/b.md#x)\n\n## Two\n\n- [API](../openapi.yaml)\n")

    assert ":caption: One\n\na\n```" in made
    assert ":caption: Two\n\nreference/index\n```" in made
    assert "[API](reference/index.md)" in made


def test_the_reference_has_every_operation_with_a_form_and_every_shape() -> None:
    pages = site_module("reference").reference_pages(CONTRACT)
    text = "\n".join(pages.values())

    for operation in OPERATIONS:
        assert f"## `{operation.method} {operation.path}`" in text
        assert f'data-method="{operation.method}" data-path="{operation.path}"' in text
    for name in CONTRACT["components"]["schemas"]:
        assert f"\n## {name}\n" in pages["shapes.md"]
    assert text.count('<details class="try"') == len(OPERATIONS)


def test_a_form_is_filled_with_the_example_and_offers_the_choices() -> None:
    operation = CONTRACT["paths"]["/v1/intensity"]["get"]

    made = site_module("forms").form("GET", "/v1/intensity", operation)

    assert '<input id="try-intensity-location" name="location" data-in="query" value="FR"' in made
    assert "<option selected></option><option>json</option><option>csv</option><option>parquet</option>" in made


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "minimum": 1, "maximum": 10.0}, "number, 1 to 10"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, more than 0"),
        ({"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]}, "text, at most 200 characters or null"),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Hour"}, "maxItems": 1000},
            "list of [Hour](shapes.md#hour) (at most 1,000)",
        ),
        ({"enum": ["json", "csv"], "type": "string"}, "`json` or `csv`"),
        ({"const": "FR"}, "`FR`"),
        ({"type": "string", "format": "date-time"}, "time, RFC 3339 with an offset"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object whose members are each number"),
        ({}, "anything"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert site_module("shapes").words(schema, "shapes.md") == words


# --- the site as it was built


class Links(HTMLParser):
    """What a page names: where it leads, what it loads, what may be led to."""

    def __init__(self) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if identity := known.get("id"):
            self.anchors.add(identity)
        if tag == "a" and (target := known.get("href")):
            self.leads.append(target)
        if tag in {"script", "img", "link"} and (target := known.get("src") or known.get("href")):
            self.loads.append(target)
        self.inline += [f"{tag} {name}" for name in known if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in known):
            self.inline.append(tag)


def read_pages() -> dict[str, Links]:
    pages = {}
    for name in site_files():
        if name.endswith(".html"):
            pages[name] = Links()
            pages[name].feed((FOLDER / name).read_text(encoding="utf-8"))
    return pages


def inside(page: str, target: str) -> str:
    """The file of the site that a page's link means; the start page by its folder."""
    path = os.path.normpath(PurePosixPath(page).parent / target.partition("?")[0]) if target else page
    return "index.html" if path == "." else path


def test_every_link_of_every_page_leads_to_a_page_and_its_place() -> None:
    pages, files = read_pages(), site_files()
    dead = []
    for name, page in pages.items():
        for target in page.leads:
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target) or inside(name, path) in {"..", "../."}:
                continue
            led_to = inside(name, path)
            if led_to not in files or (anchor and led_to in pages and anchor not in pages[led_to].anchors):
                dead.append(f"{name}: {target}")

    assert dead == []
    assert len(pages) > 50


def test_no_page_loads_from_elsewhere_or_runs_anything_inline() -> None:
    files = site_files()

    for name, page in read_pages().items():
        assert page.inline == [], name
        for target in page.loads:
            assert inside(name, target.partition("#")[0]) in files, f"{name}: {target}"
    for sheet in FOLDER.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:data:|https?:|//)|@import", sheet.read_text(encoding="utf-8")), sheet


def test_what_came_along_has_its_licence_beside_it() -> None:
    assert {f"_static/{name}.LICENSE.txt" for name in ("sphinx", "furo", "sphinx-basic-ng", "snowballstemmer")} <= site_files().keys()


# --- as the service sends it


def test_docs_leads_to_the_start_page(service: RunningService) -> None:
    answer = get(service, "/docs")

    assert (answer.status, answer.headers["Location"], answer.body) == (308, "docs/", b"")


def test_a_page_is_sent_packed_with_its_policy_and_again_only_when_it_changed(service: RunningService) -> None:
    needs_site()
    plain, packed = get(service, "/docs/method.html"), get(service, "/docs/method.html", {"Accept-Encoding": "gzip"})

    assert plain.headers["Content-Type"] == "text/html; charset=utf-8"
    assert plain.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in plain.headers["Content-Security-Policy"]
    assert plain.headers["X-Content-Type-Options"] == "nosniff"
    assert gzip.decompress(packed.body) == plain.body == (FOLDER / "method.html").read_bytes()
    assert get(service, "/docs/method.html", {"If-None-Match": plain.headers["ETag"]}).status == 304
    assert "immutable" not in plain.headers["Cache-Control"]
    head = ask(service, "HEAD", "/docs/method.html")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(plain.body)), b"")
    assert get(service, "/docs/").body == get(service, "/docs/index.html").body


def test_a_file_under_its_version_is_for_keeping_and_under_another_it_is_not(service: RunningService) -> None:
    needs_site()
    named = re.findall(r'(?:src|href)="([^"]+\?v=\w+)"', (FOLDER / "index.html").read_text(encoding="utf-8"))

    assert len(named) > 8
    for name in named:
        assert get(service, f"/docs/{name}").headers["Cache-Control"] == IMMUTABLE, name
        assert "immutable" not in get(service, f"/docs/{name.partition('?')[0]}?v=0").headers["Cache-Control"]


def test_the_first_view_of_the_start_page_is_small(service: RunningService) -> None:
    needs_site()
    named = re.findall(r'<(?:script src|link rel="stylesheet"[^>]*href)="([^"]+)"', (FOLDER / "index.html").read_text(encoding="utf-8"))
    answers = [get(service, f"/docs/{name}", {"Accept-Encoding": "gzip"}) for name in ["", *named]]

    assert sum(len(answer.body) for answer in answers) < MOST_FIRST_VIEW_BYTES


def test_every_file_is_sent_by_a_type_that_the_contract_has(service: RunningService) -> None:
    responses = CONTRACT["paths"]["/docs/{file}"]["get"]["responses"]

    for name in site_files():
        answer = get(service, f"/docs/{name}")
        assert answer.status == 200, name
        assert answer.media_type in responses["200"]["content"], name


@pytest.mark.parametrize(
    "name",
    [
        "nothing.html",
        "../handlers.py",
        "..%2f..%2fapp.py",
        "%2e%2e/app.py",
        "manifest.json",
        "index.html.gz",
        "_static",
        "_static/",
        "/etc/passwd",
    ],
)
def test_only_the_files_of_the_site_are_sent(service: RunningService, name: str) -> None:
    check_problem(get(service, f"/docs/{name}"), 404, "not-found")


def test_who_looks_for_a_page_that_there_is_not_is_shown_the_way_back(service: RunningService) -> None:
    answer = get(service, "/docs/nothing.html", {"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status, answer.media_type) == (404, "text/html")
    assert b'href="/docs/"' in answer.body


# --- where it was not built, and while it is


def make_site(folder: Path, text: str, changed_at: int = 1) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(text)
    (folder / "manifest.json").write_text(json.dumps({"index.html": ""}))
    os.utime(folder / "manifest.json", (changed_at, changed_at))


def test_a_site_that_is_built_later_is_found_and_one_that_is_built_anew_too(tmp_path: Path) -> None:
    site = Site(tmp_path / "docs")
    with pytest.raises(NotBuilt):
        site.read("")

    make_site(tmp_path / "docs", "first")
    assert site.read("").body == b"first"

    make_site(tmp_path / "docs", "second", changed_at=2)
    assert site.read("index.html").body == b"second"
    with pytest.raises(NoSuchFile):
        site.read("manifest.json")


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")  # the guard keeps what it knows under a plain name
async def test_where_it_was_not_built_a_page_says_how_to_build_it(tmp_path: Path) -> None:
    settings = Settings(
        offline=True,
        store=f"sqlite:///{tmp_path / 'series.sqlite'}",
        records=f"sqlite:///{tmp_path / 'records.sqlite'}",
        backfill_folder=str(tmp_path / "backfills"),
    )
    app = build_app(build_gridgram(settings), settings)
    app[SITE] = Site(tmp_path / "docs")

    async with TestClient(TestServer(app)) as client:
        page = await client.get("/docs", headers={"Accept": "text/html"})
        problem = await client.get("/docs/")

        assert (page.status, page.url.path) == (404, "/docs/")
        assert "make site" in await page.text()
        assert (problem.status, problem.content_type) == (404, "application/problem+json")
        assert "make site" in (await problem.json(content_type=None))["detail"]
