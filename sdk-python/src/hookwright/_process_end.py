"""Something to do when the process ends, in children of multiprocessing too."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ProcessEnd:
    """Has `act` called at the end of this process and, after `settle` there, of its children."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._settled = False
        atexit.register(act)
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._after_fork)

    def settle(self) -> None:
        """
        See to it that `act` is called in a child of multiprocessing, which may end by os._exit:
        then atexit is not heard, but multiprocessing's own list is.
        """
        if self._settled:
            return
        process = sys.modules.get("multiprocessing.process")
        # What is put on that list before the child has a parent is thrown away with the list.
        if process is None or process.parent_process() is None:
            return
        from multiprocessing.util import Finalize

        # 0: pools, which may still give us something, end before; queues' threads end after.
        Finalize(None, self._act, exitpriority=0)
        self._settled = True

    def _after_fork(self) -> None:
        self._settled = False
