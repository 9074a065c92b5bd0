"""A short memory saves questions and never tells of what was changed here."""

from __future__ import annotations

import threading

import pytest

from hookwright_server.services.short_memory import ShortMemory


class Source:
    """Counts how often it is asked; its time is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.memory = ShortMemory[str, int | None](1.0, most=2, monotonic=lambda: self.now)

    def load(self) -> int:
        """How often it has been asked, this time included."""
        self.asked += 1
        return self.asked

    def get(self, key: str = "a") -> int | None:
        """What the memory says."""
        return self.memory.get(key, self.load)


@pytest.fixture
def source() -> Source:
    """A source that nobody has asked yet."""
    return Source()


def test_a_fresh_value_is_not_asked_for(source: Source) -> None:
    """Within its time a value is read once; afterwards again."""
    early = [source.get(), source.get()]
    source.now = 1.0

    assert ([1, 1], 2) == (early, source.get())


def test_one_asks_and_the_others_go_on(source: Source) -> None:
    """While somebody reads an old value anew, everybody else is served with the old one."""
    source.get()
    source.now = 1.0
    began, may_end = threading.Event(), threading.Event()

    def slowly() -> int:
        began.set()
        may_end.wait(60)
        return 7

    reader = threading.Thread(target=lambda: source.memory.get("a", slowly))
    reader.start()
    began.wait(60)
    meanwhile = source.get()
    may_end.set()
    reader.join()

    assert (1, 7) == (meanwhile, source.get())


def test_nobody_goes_on_for_long_with_a_reader_that_hangs(source: Source) -> None:
    """A value twice as old as it may be is read by whoever needs it, and stays the newer one."""
    source.get()
    source.now = 1.0
    began, may_end = threading.Event(), threading.Event()

    def hanging() -> int:
        began.set()
        may_end.wait(60)
        return 7

    reader = threading.Thread(target=lambda: source.memory.get("a", hanging))
    reader.start()
    began.wait(60)
    told: list[int | None] = []
    for source.now in (1.9, 2.0, 2.1):
        told.append(source.get())
    may_end.set()
    reader.join()

    assert [1, 2, 2, 2] == [*told, source.get()]


def test_what_was_forgotten_meanwhile_is_not_kept(source: Source) -> None:
    """A value that was being read when it changed serves its reader only."""

    def changed_meanwhile() -> int:
        source.memory.forget("a")
        return 5

    first = source.memory.get("a", changed_meanwhile)

    assert (5, 1) == (first, source.get())


def test_what_others_forget_is_their_matter(source: Source) -> None:
    """A value is kept although another one changed while it was being read."""

    def other_meanwhile() -> int:
        source.memory.forget("b")
        return 5

    first = source.memory.get("a", other_meanwhile)

    assert (5, 5) == (first, source.get())


def test_very_many_forgotten_are_not_forgotten(source: Source) -> None:
    """However many change meanwhile, what did is not kept."""

    def all_meanwhile() -> int:
        for key in "abcdb":
            source.memory.forget(key)
        return 5

    first = source.memory.get("a", all_meanwhile)

    assert (5, 1) == (first, source.get())


def test_a_failure_leaves_nothing_old_behind(source: Source) -> None:
    """When reading fails, the old value is no longer told."""
    source.get()
    source.now = 1.0

    def failing() -> int:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - whatever reading raises
        source.memory.get("a", failing)

    assert 2 == source.get()


def test_nothing_is_not_kept(source: Source) -> None:
    """What does not exist is looked for each time, and ends what was known before."""
    source.get()
    source.now = 1.0

    assert source.memory.get("a", lambda: None) is None
    assert 2 == source.get()


def test_it_is_bounded(source: Source) -> None:
    """With too many values it begins anew."""
    for key in "abc":
        source.get(key)

    assert (3, 4) == (source.get("c"), source.get("a"))


def test_everything_can_be_forgotten(source: Source) -> None:
    """After a change of unknown reach every value is read anew."""
    source.get("a")
    source.get("b")
    source.memory.forget_all()

    assert (3, 4) == (source.get("a"), source.get("b"))
