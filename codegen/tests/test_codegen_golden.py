"""Every byte of the output is one that somebody accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hookwright_codegen.write import Output

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"


def test_the_output_is_the_accepted_one(shop_outputs: list[Output]) -> None:
    """A difference is a decision: read it, then run update_golden.py."""
    expected = {
        str(path.relative_to(GOLDEN)).removesuffix(".golden"): path.read_text(encoding="utf-8")
        for path in sorted(GOLDEN.rglob("*.golden"))
    }
    actual = {name: text for output in shop_outputs for name, text in output.files.items()}

    assert sorted(expected) == sorted(actual)
    for name, text in actual.items():
        assert expected[name] == text, name


def test_the_output_does_not_depend_on_the_hash_seed(tmp_path: Path, shop_path: Path) -> None:
    """The same contract gives the same bytes in every process."""
    trees: list[dict[str, bytes]] = []
    for seed in ("0", "4242"):
        root = tmp_path / seed
        subprocess.run(
            [
                *(sys.executable, "-m", "hookwright_codegen", "generate"),
                *("--spec", str(shop_path), "--root", str(root)),
            ],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        files = sorted(path for path in root.rglob("*") if path.is_file())
        trees.append({str(path.relative_to(root)): path.read_bytes() for path in files})

    assert trees[0] == trees[1]
