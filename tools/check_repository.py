"""Checks of the repository itself: no traces of one machine, well-formed fragments and records."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What a tracked file must not name: where packages come from, and where somebody's files lie.
FORBIDDEN = {
    "the host of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|crates\.io|debian\.org)"
    ),
    "an option that names a package index": re.compile(r"--(?:extra-)?index-url[ =]|--find-links"),
    "a path of one machine": re.compile(
        r"(?<![\w.*~/-])/(?:home|root|Users|work)/\w|/tmp/(?:hw|bash_jobs)"
    ),
}
FRAGMENT = re.compile(r"\d+(?:\.[\w-]+)?\.(?:added|changed|fixed|removed|security)\.md")
RECORD = re.compile(r"\d{4}-[a-z0-9-]+\.md")
STATUS = re.compile(r"^Status: (?:proposed|accepted|superseded by \d{4})", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")


def main() -> int:
    """Print every finding; the exit status is 1 when there is one."""
    root = Path(__file__).resolve().parent.parent
    found = sorted(findings(tracked_files(root)))
    for finding in found:
        print(finding, file=sys.stderr)
    print(f"check_repository: {len(found)} findings")
    return 1 if found else 0


def tracked_files(root: Path) -> dict[Path, Path]:
    """Every file that git knows or would add: its name in the repository, and where it lies."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = (Path(name) for name in listing.split("\0") if name)
    return {name: root / name for name in names if (root / name).is_file()}


def findings(files: Mapping[Path, Path]) -> Iterator[str]:
    """One sentence for everything wrong with `files`."""
    for name, path in files.items():
        if path.is_symlink():
            yield f"{name}: a symbolic link; in an sdist it would lead out of it, copy the file"
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file
        if path.resolve() != Path(__file__).resolve():
            yield from _forbidden(name, text)
        if name.parts[0] == "changelog.d" and name.name != "README.md":
            yield from _fragment(name, text)
        if name.parts[:2] == ("docs", "decisions") and name.name != "README.md":
            yield from _record(name, text)
        if name.suffix == ".md":
            yield from _links(name, path, text)
    yield from _numbering(files)


def _forbidden(name: Path, text: str) -> Iterator[str]:
    for meaning, pattern in FORBIDDEN.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: names {meaning}: {match.group()}"


def _fragment(name: Path, text: str) -> Iterator[str]:
    if not FRAGMENT.fullmatch(name.name):
        yield f"{name}: a fragment is called ISSUE[.WORD].KIND.md; see changelog.d/README.md"
    if not text.strip().endswith("."):
        yield f"{name}: a fragment is a sentence and ends with a full stop"


def _record(name: Path, text: str) -> Iterator[str]:
    if not RECORD.fullmatch(name.name):
        yield f"{name}: a decision record is called NNNN-words-with-dashes.md"
    if not STATUS.search(text):
        yield f"{name}: lacks a line `Status: proposed|accepted|superseded by NNNN`"


def _numbering(files: Mapping[Path, Path]) -> Iterator[str]:
    numbers = sorted(
        name.name[:4]
        for name in files
        if name.parts[:2] == ("docs", "decisions") and RECORD.fullmatch(name.name)
    )
    expected = [f"{number:04}" for number in range(1, len(numbers) + 1)]
    if numbers != expected:
        yield f"docs/decisions: numbered {numbers}, expected {expected}"


def _links(name: Path, path: Path, text: str) -> Iterator[str]:
    for match in LINK.finditer(text):
        if not (path.parent / match.group(1)).exists():
            yield f"{name}: links to {match.group(1)}, which does not exist"


if __name__ == "__main__":
    sys.exit(main())
