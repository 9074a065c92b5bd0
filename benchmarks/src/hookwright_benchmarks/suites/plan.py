"""What every suite gets: how much to do, where to put files, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """`quick` does one run on a tiny load: it shows that everything works, and no figures."""

    quick: bool
    folder: Path
    say: Callable[[str], None]
    _numbers: count[int] = field(default_factory=count)

    @property
    def runs(self) -> int:
        """Interleaved runs of everything; the median counts."""
        return 1 if self.quick else 3

    def of(self, full: T, quick: T) -> T:
        """The size to use."""
        return quick if self.quick else full

    def fresh_folder(self) -> Path:
        """An empty folder of its own."""
        folder = self.folder / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder
