"""Accept what the generator makes of the shop as right: `python codegen/tests/update_golden.py`.

The suffix `.golden` keeps the files away from formatters, linters and type checkers.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hookwright_codegen.cli import TARGETS, generate

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"


def made() -> dict[str, str]:
    """The files that the targets make of the shop, by path below `golden/`."""
    outputs = generate(TESTS / "fixtures" / "shop.yaml", list(TARGETS))
    return {f"{name}.golden": text for output in outputs for name, text in output.files.items()}


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, text in made().items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
