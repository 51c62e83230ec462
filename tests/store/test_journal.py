"""What is appended to the journal is on the disk and is read again, in order; a disk that refuses changes nothing."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.store import made
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Status
from watchkeeper.store.journal import Corrupt, Journal, JournalError, Line, Torn, decision_of, lines, run_of
from watchkeeper.store.record import Decision, Run

RUN = Run(7, 1_800_000_000_000)


def decision(number: int, *, message: str = "") -> Decision:
    effects: tuple[Effect, ...] = (made.status("web", Status.DOWN, number),)
    if message:
        effects = (*effects, made.note(made.incident(), message))
    return Decision(number, effects)


def decisions(begin: int, end: int) -> list[Decision]:
    return [decision(number) for number in range(begin, end + 1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchkeeper.db.journal"


@pytest.fixture
def journal(path: Path) -> Journal:
    return Journal(path, RUN)


def held(path: Path) -> list[int]:
    """The numbers of the decisions in the file."""
    with path.open("rb") as file:
        first, *rest = lines(file)
    assert run_of(first) == RUN
    return [decision_of(line).number for line in rest]


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file of this process can become larger than so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_there_is_no_file_while_nothing_waits(journal: Journal, path: Path) -> None:
    assert not path.exists()
    journal.append(decisions(1, 3))
    assert path.exists()
    journal.note_written(2)
    assert path.exists()
    journal.note_written(3)
    assert not path.exists()


def test_only_its_owner_can_read_it(journal: Journal, path: Path) -> None:
    journal.append(decisions(1, 1))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_appended_is_read_in_order_and_in_parts(journal: Journal) -> None:
    journal.append(decisions(1, 3))
    journal.append([decision(4, message="€ " + b"\xff".decode(errors="surrogateescape")), decision(5)])

    assert journal.read(2) == decisions(1, 2)
    journal.note_written(2)
    assert journal.read(2) == [decision(3), decision(4, message="€ \udcff")]
    journal.note_written(4)
    journal.append([decision(6)])
    assert journal.read(100) == decisions(5, 6)


def test_what_is_in_the_database_already_is_neither_appended_nor_read(journal: Journal, path: Path) -> None:
    journal.note_written(3)
    assert journal.append(decisions(1, 3)) == 3
    assert not path.exists()

    assert journal.append(decisions(2, 6)) == 6
    assert held(path) == [4, 5, 6]
    journal.note_written(5)
    assert journal.decisions == 1
    assert journal.read(100) == [decision(6)]


def test_one_file_is_begun_after_another(journal: Journal, path: Path) -> None:
    for begin in (1, 4, 7):
        journal.append(decisions(begin, begin + 2))
        assert journal.read(100) == decisions(begin, begin + 2)
        journal.note_written(begin + 2)

    assert not path.exists()


def test_decisions_that_do_not_follow_are_a_bug(journal: Journal) -> None:
    journal.append(decisions(1, 2))
    with pytest.raises(ValueError, match="does not follow"):
        journal.append(decisions(4, 5))


def test_it_is_full_at_so_many_decisions_and_goes_on_when_some_are_written(path: Path) -> None:
    journal = Journal(path, RUN, max_decisions=5)

    assert journal.append(decisions(1, 3)) == 3
    assert journal.append(decisions(4, 9)) == 5
    with pytest.raises(JournalError, match="is full: 5 decisions"):
        journal.append(decisions(6, 9))
    journal.note_written(2)
    assert journal.append(decisions(6, 9)) == 7
    assert held(path) == [1, 2, 3, 4, 5, 6, 7]


def test_it_is_full_at_so_many_bytes(path: Path) -> None:
    journal = Journal(path, RUN, max_bytes=1_000)

    last = journal.append(decisions(1, 100))

    assert 1 < last < 20
    assert 1_000 <= path.stat().st_size < 1_200
    assert held(path) == list(range(1, last + 1))
    with pytest.raises(JournalError, match="is full"):
        journal.append(decisions(last + 1, 100))


def test_a_disk_that_is_full_takes_all_or_nothing(journal: Journal, path: Path) -> None:
    journal.append(decisions(1, 2))
    before = path.read_bytes()
    with (
        disk_full_after(len(before) + 100),
        pytest.raises(JournalError, match="can not be written: File too large"),
    ):
        journal.append(decisions(3, 9))

    assert path.read_bytes() == before
    assert journal.decisions == 2
    assert journal.append([decision(3)]) == 3
    assert journal.read(100) == decisions(1, 3)


def test_a_disk_that_is_full_from_the_beginning_leaves_no_file(journal: Journal, path: Path) -> None:
    with disk_full_after(20), pytest.raises(JournalError):
        journal.append(decisions(1, 2))

    assert not path.exists()
    assert journal.append(decisions(1, 2)) == 2
    assert held(path) == [1, 2]


def test_a_file_that_is_there_already_is_left_alone(journal: Journal, path: Path) -> None:
    path.write_text("precious")

    with pytest.raises(JournalError, match=f"{path} can not be written: File exists"):
        journal.append(decisions(1, 1))

    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file or directory"):
        Journal(tmp_path / "none" / "journal", RUN).append(decisions(1, 1))


@pytest.mark.parametrize("damage", [lambda text: text[:-40], lambda text: text.replace(b"is down", b"is dawn")])
def test_a_file_that_was_changed_under_it_is_not_read(journal: Journal, path: Path, damage: object) -> None:
    assert callable(damage)
    journal.append(decisions(1, 3))
    changed = damage(path.read_bytes())
    os.truncate(path, 0)
    path.write_bytes(changed)

    with pytest.raises(Corrupt):
        journal.read(100)


def test_a_file_whose_lines_changed_places_is_not_read(journal: Journal, path: Path) -> None:
    journal.append(decisions(1, 3))
    head, one, two, three = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + two + one + three)

    with pytest.raises(Corrupt, match="decision 2 out of its order"):
        journal.read(100)


def test_a_line_without_an_end_is_torn_wherever_it_was_cut(journal: Journal, path: Path) -> None:
    journal.append(decisions(1, 1))
    text = path.read_bytes()
    whole = {0: 0, len(text.splitlines(keepends=True)[0]): 1, len(text): 2}

    for size in range(len(text) + 1):
        path.write_bytes(text[:size])
        with path.open("rb") as file:
            found = []
            try:
                for line in lines(file):
                    found += [line.number]
            except Torn:
                assert size not in whole
            else:
                assert len(found) == whole[size]


def test_a_line_with_any_changed_byte_is_corrupt(journal: Journal, path: Path) -> None:
    journal.append(decisions(1, 1))
    text = path.read_bytes()

    for place in range(len(text)):
        changed = bytearray(text)
        changed[place] ^= 0x20
        path.write_bytes(changed)
        with path.open("rb") as file, pytest.raises((Corrupt, Torn)):
            list(lines(file))


def test_a_first_line_that_names_no_run_is_corrupt() -> None:
    for payload in (
        {},
        {"journal": 2, "run": 1, "started_ms": 1},
        {"journal": 1, "run": 1},
        {"journal": 1, "run": "x"},
    ):
        with pytest.raises(Corrupt):
            run_of(Line(1, payload, 10))
