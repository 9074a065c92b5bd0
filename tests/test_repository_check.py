"""What tools/check_repository.py finds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location(
    "check_repository", ROOT / "tools" / "check_repository.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
check_repository = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_repository)


def _findings(directory: Path, name: str, text: str) -> list[str]:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return list(check_repository.findings({Path(name): path}))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "see https://py" + "pi.org/simple", "registry"),
        ("a.in", "--find" + "-links wheels", "package index"),
        ("a.py", "open('/ho" + "me/jane/x')", "path of one machine"),
        ("changelog.d/note.txt", "Added a thing.", "ISSUE[.WORD].KIND.md"),
        ("changelog.d/2.added.md", "Added a thing", "full stop"),
        ("docs/decisions/0001-words.md", "# Words", "Status"),
        ("docs/decisions/0002-words.md", "Status: accepted", "numbered"),
        ("docs/a.md", "[text](missing.md)", "does not exist"),
    ],
)
def test_each_rule_finds_its_breach(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """A file that breaks one rule gets one finding that says which."""
    found = _findings(tmp_path, name, text)

    assert [True] == [expected in finding for finding in found]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "https://example.com/home/x and ~/things/x"),
        ("changelog.d/2.added.md", "Added a thing.\n"),
        ("changelog.d/2.sdk.fixed.md", "Mended a thing.\n"),
        ("docs/decisions/0001-words.md", "# Words\n\nStatus: accepted, 2026-11-21\n"),
        ("docs/a.md", "[this](a.md#part) and [that](https://example.com)"),
    ],
)
def test_good_files_pass(tmp_path: Path, name: str, text: str) -> None:
    """A file that keeps the rules gets no finding."""
    found = _findings(tmp_path, name, text)

    assert [] == found


def test_a_symbolic_link_is_found(tmp_path: Path) -> None:
    """In an sdist it would lead out of it, and pip refuses that."""
    (tmp_path / "LICENSE").write_text("Do as you like.\n", encoding="utf-8")
    link = tmp_path / "member-LICENSE"
    link.symlink_to(tmp_path / "LICENSE")

    [found] = check_repository.findings({Path("member/LICENSE"): link})

    assert "symbolic link" in found
