"""What every suite gets: how much to do, on which back end, where to put files, whom to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

from hookwright_benchmarks.rig.production import Production
from hookwright_benchmarks.rig.server import Embedded, Place, Server
from hookwright_benchmarks.rig.services import Postgres, Redis

T = TypeVar("T")
BackEnd = Literal["embedded", "production"]


@dataclass(frozen=True)
class Plan:
    """`quick` does one run on a tiny load: it shows that everything works, and no figures.

    `stack` ends what suites share. `interleaved`: how many runs of everything; the median counts.
    """

    quick: bool
    folder: Path
    say: Callable[[str], None]
    stack: ExitStack
    back_end: BackEnd = "embedded"
    interleaved: int = 3
    _numbers: count[int] = field(default_factory=count)

    @property
    def runs(self) -> int:
        return 1 if self.quick else self.interleaved

    @property
    def is_production(self) -> bool:
        return self.back_end == "production"

    def of(self, full: T, quick: T) -> T:
        """The size to use."""
        return quick if self.quick else full

    def by_form(self, embedded: T, production: T) -> T:
        """What the back end that is measured has."""
        return production if self.is_production else embedded

    def fresh_folder(self) -> Path:
        """An empty folder of its own."""
        folder = self.folder / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder

    @cached_property
    def postgres(self) -> Postgres:
        """One instance for all suites."""
        return self.stack.enter_context(Postgres(self.fresh_folder()))

    @cached_property
    def redis(self) -> Redis:
        """One instance for all suites."""
        return self.stack.enter_context(Redis(self.fresh_folder()))

    def fresh_place(self) -> Place:
        """A database that does not exist yet, or is empty."""
        if self.is_production:
            return self.postgres.new_database()
        return self.fresh_folder() / "bench.db"

    def server(self, *, workers: int = 1, **settings: str | Path) -> Server:
        """A server of this form; the embedded one has no `workers`. The caller stops it."""
        if self.is_production:
            return self.production(processes=1, workers=workers, **settings)
        return Embedded(self.fresh_folder(), **_texts(settings))

    def production(
        self, *, processes: int = 1, workers: int = 1, **settings: str | Path
    ) -> Production:
        """A server of the production form. The caller stops it."""
        return Production(
            self.fresh_folder(),
            self.postgres,
            self.redis,
            processes=processes,
            workers=workers,
            **_texts(settings),
        )


def _texts(settings: Mapping[str, str | Path]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}
