"""What tools/site_pages.py makes of pages, and what tools/check_site.py finds in a built site."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_site import findings
from site_pages import PAGES, ROOT, expanded, relinked


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<script src="https://cdn.example/a.js"></script>', "https://cdn.example/a.js"),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', "//fonts.example/a.css"),
        ('<img src="http://images.example/a.png">', "http://images.example/a.png"),
        (
            '<img srcset="here.png, https://images.example/b.png 2x">',
            "https://images.example/b.png",
        ),
        ("<style>@import 'https://fonts.example/b.css';</style>", "https://fonts.example/b.css"),
        (
            '<p style="background: url(https://images.example/c.png)">',
            "https://images.example/c.png",
        ),
        ('<script src="missing.js"></script>', "missing.js"),
        ('<link rel="icon" href="/here.png">', "/here.png"),
    ],
)
def test_a_page_that_loads_from_elsewhere_is_found(
    tmp_path: Path, page: str, expected: str
) -> None:
    """One finding names what another host, or nobody, would have to give."""
    (tmp_path / "here.png").touch()
    (tmp_path / "page.html").write_text(f"<html>{page}</html>", encoding="utf-8")

    found = list(findings(tmp_path))

    assert [True] == [f"page.html: loads {expected}, " in each for each in found]


def test_style_sheets_are_searched(tmp_path: Path) -> None:
    """A style sheet loads as a page does."""
    (tmp_path / "a.css").write_text("@import url(https://fonts.example/a.css);", encoding="utf-8")

    (found,) = findings(tmp_path)

    assert found == "a.css: loads https://fonts.example/a.css, which lies on another host"


def test_what_lies_beside_a_page_is_no_finding(tmp_path: Path) -> None:
    """Own files, data and links that are only followed by a click pass."""
    (tmp_path / "a b.js").touch()
    (tmp_path / "page.html").write_text(
        '<script src="a%20b.js?v=1"></script><img src="data:image/png;base64,AA==">'
        '<a href="https://www.standardwebhooks.com/">elsewhere</a>',
        encoding="utf-8",
    )

    assert [] == list(findings(tmp_path))


@pytest.mark.parametrize(
    ("source", "uri", "text", "expected"),
    [
        ("ARCHITECTURE.md", "architecture.md", "(docs/scale.md#a)", "[x](scale.md#a)"),
        ("ARCHITECTURE.md", "architecture.md", "(docs/behaviour)", "[x](behaviour/README.md)"),
        ("docs/guides/send.md", "guides/send.md", "(../scale.md)", "[x](../scale.md)"),
        (
            "docs/guides/send.md",
            "guides/send.md",
            "(../../CONTRIBUTING.md)",
            "[x](../contributing.md)",
        ),
        ("docs/scale.md", "scale.md", "(../openapi.yaml)", "x"),
        ("docs/scale.md", "scale.md", "(missing.md)", "[x](missing.md)"),
        ("docs/scale.md", "scale.md", "(https://example.com)", "[x](https://example.com)"),
    ],
)
def test_links_lead_to_where_the_site_has_their_target(
    source: str, uri: str, text: str, expected: str
) -> None:
    """What is no page of the site is plain text; what does not exist stays, and fails the build."""
    assert expected == relinked(f"[x]{text}", source, uri)


def test_code_is_no_link() -> None:
    """Blocks of code stay what they are."""
    code = "```python\nx[x](openapi.yaml)\n```\n"

    assert code == relinked(code, "README.md", "index.md")


def test_globs_of_the_navigation_are_filled_in(tmp_path: Path) -> None:
    """A folder's pages in their order, its README first."""
    for name in ("0002-b.md", "README.md", "0001-a.md", "data.json"):
        (tmp_path / name).touch()

    assert [{"All": ["README.md", "0001-a.md", "0002-b.md"]}, "x.md"] == expanded(
        [{"All": "*.md"}, "x.md"], tmp_path
    )


def test_pages_from_outside_exist() -> None:
    """Each has its file."""
    assert [] == [source for source in PAGES.values() if not (ROOT / source).is_file()]
