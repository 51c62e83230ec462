"""The files prober, on files of its own."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.probers.asking import NOW_MS, a_probe, ask, run
from watchkeeper.domain.probe import Sample, Status

HOUR = 3600


def put(path: Path, size: int = 10, age_s: float = HOUR) -> Path:
    """A file of this size, written so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    written_s = NOW_MS / 1000 - age_s
    os.utime(path, (written_s, written_s))
    return path


def look(path: Path | str, **options: Any) -> Sample:
    return run(ask("files", {"path": str(path), **options}))


def test_files_that_are_as_they_should_be_are_up_and_the_newest_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", 1000, age_s=25 * HOUR)
    put(tmp_path / "b.dump", 2048, age_s=2 * HOUR)
    put(tmp_path / "c.dump.partial", 5, age_s=0)
    sample = look(tmp_path / "*.dump", newest_within="26h", min_size="2KiB", min_count=2)
    assert sample.status is Status.UP
    assert sample.message == "2 files, the newest is b.dump with 2.0KiB, 2h old"
    assert sample.values == {
        "count": 2,
        "total_size_bytes": 3048,
        "newest_size_bytes": 2048,
        "newest_age_seconds": 2 * HOUR,
    }
    written = datetime.fromtimestamp(NOW_MS / 1000 - 2 * HOUR, UTC)
    assert sample.facts == {"newest": "b.dump", "last_backup": written}


def test_a_single_file_may_be_named_without_a_glob(tmp_path: Path) -> None:
    assert look(put(tmp_path / "latest.dump")).message == "1 file, the newest is latest.dump with 10B, 1h old"
    sample = look(tmp_path / "other.dump")
    assert (sample.status, sample.message) == (Status.DOWN, f"there is no file {tmp_path}/other.dump")


def test_no_file_that_matches_is_down_and_names_the_glob(tmp_path: Path) -> None:
    put(tmp_path / "a.dump.partial")
    sample = look(tmp_path / "*.dump")
    assert (sample.status, sample.message) == (Status.DOWN, f"no file matches {tmp_path}/*.dump")
    assert sample.values == {"count": 0, "total_size_bytes": 0}
    assert dict(sample.facts) == {}


@pytest.mark.parametrize("path", ["missing/*.dump", "missing/a.dump", "*/a.dump", "file/*.dump", "file/a.dump"])
def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path, path: str) -> None:
    put(tmp_path / "file")
    assert look(tmp_path / path).status is Status.DOWN


def test_a_newest_file_that_is_too_old_is_down_and_says_how_old(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", age_s=27 * HOUR)
    sample = look(tmp_path / "*.dump", newest_within="26h")
    assert sample.status is Status.DOWN
    assert sample.message == "the newest file, a.dump, is 1d3h old, expected within 1d2h"
    assert sample.facts["newest"] == "a.dump"  # the rule asks for its age all the same
    assert sample.values["newest_age_seconds"] == 27 * HOUR


def test_a_file_from_the_future_is_not_recent(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", age_s=-2 * HOUR)
    sample = look(tmp_path / "*.dump", newest_within="26h")
    assert sample.status is Status.DOWN
    assert sample.message == (
        "the newest file, a.dump, is dated 2h in the future: its clock or this machine's is wrong"
    )
    assert look(tmp_path / "*.dump").status is Status.UP


def test_clocks_may_be_a_few_minutes_apart(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", age_s=-5 * 60)
    assert look(tmp_path / "*.dump", newest_within="26h").status is Status.UP


def test_a_file_is_not_too_old_before_its_time_is_over(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", age_s=26 * HOUR)
    assert look(tmp_path / "*.dump", newest_within="26h").status is Status.UP


def test_only_the_newest_file_must_be_large(tmp_path: Path) -> None:
    put(tmp_path / "a.dump", 10, age_s=2 * HOUR)
    put(tmp_path / "b.dump", 5000)
    assert look(tmp_path / "*.dump", min_size="4kB").status is Status.UP
    put(tmp_path / "c.dump", 10, age_s=0)
    sample = look(tmp_path / "*.dump", min_size="4kB")
    assert sample.status is Status.DOWN
    assert sample.message == "the newest file, c.dump, has only 10B, expected at least 3.9KiB"


def test_too_few_files_are_down(tmp_path: Path) -> None:
    put(tmp_path / "a.dump")
    sample = look(tmp_path / "*.dump", min_count=2)
    assert sample.status is Status.DOWN
    assert sample.message == f"1 file matches {tmp_path}/*.dump, expected at least 2"


def test_only_regular_files_count_and_links_to_them(tmp_path: Path) -> None:
    put(tmp_path / "a.dump")
    (tmp_path / "folder.dump").mkdir()
    os.mkfifo(tmp_path / "pipe.dump")
    (tmp_path / "nowhere.dump").symlink_to(tmp_path / "missing")
    assert look(tmp_path / "*.dump").values["count"] == 1
    (tmp_path / "latest.dump").symlink_to(tmp_path / "a.dump")
    assert look(tmp_path / "latest.dump").status is Status.UP
    assert look(tmp_path).status is Status.DOWN


def test_a_star_stands_for_one_level_and_for_no_hidden_name(tmp_path: Path) -> None:
    for name in ("one/a.dump", "two/b.dump", "two/deep/c.dump", ".hidden/d.dump", "two/.e.dump"):
        put(tmp_path / name)
    assert look(tmp_path / "*" / "*.dump").values["count"] == 2
    assert look(tmp_path / "two" / ".*.dump").values["count"] == 1
    assert look(tmp_path / "[ot]*" / "?.dump").values["count"] == 2


def test_a_folder_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    # As root no permission is denied; a name that is too long is refused to everybody.
    sample = look(tmp_path / ("x" * 300) / "*.dump")
    assert sample.status is Status.UNKNOWN
    assert sample.message.startswith(f"could not look at {tmp_path}/xxx")
    assert sample.message.endswith(": File name too long")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert look(tmp_path / "loop" / "a.dump").status is Status.UNKNOWN


def test_a_name_that_is_no_text_can_still_be_told(tmp_path: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.dump")))
    assert look(tmp_path / "*.dump").facts["newest"] == "\ufffd.dump"


def test_a_time_that_no_calendar_has_is_unknown(tmp_path: Path) -> None:
    far = put(Path("/dev/shm") / f"watchkeeper-{os.getpid()}.dump")  # a filesystem that keeps any time
    try:
        os.utime(far, (2**40, 2**40))
        sample = look(far)
    finally:
        far.unlink()
    assert sample.status is Status.UNKNOWN
    assert "is none that a calendar has" in sample.message


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"path": "/backup/**/*.dump"}, "write one \\* for each level"),
        ({"path": ""}, "must be a path"),
        ({"min_count": 0}, "greater than or equal to 1"),
        ({"newest_within": "0s"}, "must be more than zero"),
        ({"newest_within": 26}, "has no unit"),
        ({"min_size": "1"}, "is not a size"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("files", {"path": "/backup/*.dump", **options})


@given(ages=st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_the_newest_is_the_one_that_was_written_last(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("backup")
    for number, age_s in enumerate(ages):
        put(folder / f"{number}.dump", size=number, age_s=age_s)
    sample = look(folder / "*.dump")
    assert sample.values["newest_age_seconds"] == min(ages)
    assert sample.values["count"] == len(ages)
    assert ages[int(sample.values["newest_size_bytes"])] == min(ages)
