"""What mkdocs.yml needs besides: pages from outside docs/, links to files that are no pages, globs,
and the matrix of the conformance runs.

MkDocs calls the functions `on_…`; everything else needs no MkDocs.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conformance_document import MATRIX, PAGE, matrix_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Pages of the site that lie outside docs/, by where they stand in the site.
PAGES = {
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "python-sdk.md": "sdk-python/README.md",
    "typescript-sdk.md": "sdk-typescript/README.md",
    "sdk-protocol.md": "conformance-tests/src/hookwright_conformance/sdk/PROTOCOL.md",
}
_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the files that a glob in `nav` finds in its place."""
    nav: list[object] = cast("Any", config).nav or []
    config.nav = [expanded(each, Path(config.docs_dir)) for each in nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/, and the matrix."""
    from mkdocs.structure.files import File

    for uri, source in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, MATRIX, content=matrix_page()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to where the site has their target, and nowhere where it has none."""
    uri = page.file.src_uri
    text = relinked(markdown, PAGES.get(uri, f"docs/{uri}"), uri)
    # In the repository the page cannot link to it: it is made with the site.
    return text.replace(f"`{MATRIX}`", f"[`{MATRIX}`]({MATRIX})") if uri == PAGE.name else text


def expanded(entry: Any, docs: Path) -> Any:
    """An entry of `nav`; `folder/*.md` becomes a list, its README first."""
    if isinstance(entry, str) and "*" in entry:
        found = sorted(docs.glob(entry), key=lambda path: (path.name != "README.md", path.name))
        return [path.relative_to(docs).as_posix() for path in found]
    if isinstance(entry, dict):
        return {
            name: expanded(value, docs) for name, value in cast("dict[str, object]", entry).items()
        }
    if isinstance(entry, list):
        return [expanded(each, docs) for each in cast("list[object]", entry)]
    return entry


def relinked(markdown: str, source: str, uri: str, root: Path = ROOT) -> str:
    """
    The text of the page at `uri`, which is the file `source` of the repository.

    A link to a file that exists but is no page becomes plain text; one that leads nowhere stays
    what it is, and the build refuses it.
    """
    uris = {path: page for page, path in PAGES.items()}

    def linked(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        if target in uris:
            page = uris[target]
        elif target.startswith("docs/") and (root / target).is_file():
            page = target.removeprefix("docs/")
        elif target.startswith("docs/") and (root / target / "README.md").is_file():
            page = f"{target.removeprefix('docs/')}/README.md"
        else:
            return match["text"] if (root / target).exists() else match[0]
        relative = posixpath.relpath(page, posixpath.dirname(uri) or ".")
        return f"[{match['text']}]({relative}{match['anchor'] or ''})"

    return "".join(_outside_code(markdown, linked))


def _outside_code(markdown: str, linked: Any) -> Iterator[str]:
    for number, part in enumerate(_FENCED.split(markdown)):
        yield part if number % 2 else _LINK.sub(linked, part)
