"""Checks of the built site: whatever a page loads lies beside it.

python tools/check_site.py out/site
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADING = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
}
_STYLE = re.compile(r"""@import\s+["']([^"']+)|url\(\s*["']?([^"')]+)""")


def main() -> int:
    """Print every finding; the exit status is 1 when there is one."""
    site = Path(sys.argv[1])
    pages = sorted(site.rglob("*.html"))
    found = list(findings(site))
    for finding in found:
        print(finding, file=sys.stderr)
    print(f"check_site: {len(pages)} pages, {len(found)} findings")
    return 1 if found or not pages else 0


def findings(site: Path) -> Iterator[str]:
    """One sentence for everything that a browser would have to fetch from elsewhere."""
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        text = path.read_text(encoding="utf-8")
        for wanted in _of_page(text) if path.suffix == ".html" else _of_style(text):
            parts = urlsplit(wanted)
            if parts.scheme == "data" or not (parts.scheme or parts.netloc or parts.path):
                continue
            name = path.relative_to(site)
            if parts.scheme or parts.netloc:
                yield f"{name}: loads {wanted}, which lies on another host"
            elif not (path.parent / unquote(_opened(path, parts.path))).exists():
                yield f"{name}: loads {wanted}, which the site does not have"


def _opened(page: Path, wanted: str) -> str:
    """The page 404 is shown by web servers alone, at any path; all others open as files."""
    return wanted.lstrip("/") if page.name == "404.html" else wanted


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if name in LOADING.get(tag, ()) and value:
                each = value.split(",") if name == "srcset" else [value]
                self.wanted += [one.split()[0] for one in each if one.strip()]
            elif name == "style" and value:
                self.wanted += _of_style(value)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.wanted += _of_style(data)


def _of_page(text: str) -> list[str]:
    page = _Page()
    page.feed(text)
    return page.wanted


def _of_style(text: str) -> list[str]:
    return [imported or url for imported, url in _STYLE.findall(text)]


if __name__ == "__main__":
    sys.exit(main())
