"""Wall clocks that jump, one for each process: as if each ran on a machine of its own.

A small library, compiled here and preloaded, answers `clock_gettime(CLOCK_REALTIME)`,
`gettimeofday` and `time` of a process with a shift that can change while it runs. So everything
in it is fooled that asks the C library, Python and extensions alike; monotonic clocks go on, as
they do on a real machine whose date is set.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Self


def is_possible() -> bool:
    """Whether this machine has a C compiler."""
    return shutil.which("cc") is not None


_SOURCE = Path(__file__).with_name("clock_shim.c")


class Clocks:
    """The wall clocks of the processes `names`."""

    def __init__(self, folder: Path, library: Path, names: Iterable[str]) -> None:
        self._library = library
        self._files = {name: folder / f"{name}.clock" for name in names}
        self._shifts: dict[str, mmap.mmap] = {}
        for name, path in self._files.items():
            path.write_bytes(struct.pack("d", 0.0))
            with path.open("r+b") as file:
                self._shifts[name] = mmap.mmap(file.fileno(), 8)

    @classmethod
    def build(cls, folder: Path, names: Iterable[str]) -> Self | None:
        """Compile the library. None: this machine has no C compiler (`cc`)."""
        compiler = shutil.which("cc")
        if compiler is None:
            return None
        library = folder / "clock_shim.so"
        options = ["-O2", "-shared", "-fPIC", "-Wall", "-Werror"]
        command = [compiler, *options, "-o", str(library), str(_SOURCE), "-ldl", "-lm"]
        subprocess.run(command, check=True)
        return cls(folder, library, names)

    def environment(self, name: str) -> dict[str, str]:
        """What a process needs for its clock to be this one."""
        return {
            "LD_PRELOAD": str(self._library),
            "HOOKWRIGHT_FAULTS_CLOCK": str(self._files[name]),
        }

    def set(self, name: str, shift_s: float) -> None:
        """Let the clock of `name` be `shift_s` seconds ahead of the machine's from now on."""
        self._shifts[name][:] = struct.pack("d", shift_s)
