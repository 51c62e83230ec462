"""Samples from files: what is accepted, and what is said of the rest."""

from math import isnan
from pathlib import Path

import pytest

from watchkeeper.domain.probe import Sample, Status
from watchkeeper.engine.csv_history import MOST_PROBLEMS, CsvError, CsvFile, CsvHistory

VALUES = ("used_percent", "free_bytes")
COLUMNS = "timestamp, time, status, up, duration, message, used_percent, free_bytes"
T = 1_700_000_000_000


def read(folder: Path, text: str, value: str | None = "used_percent", probe: str = "disk") -> list[Sample]:
    (path := folder / f"{probe}.csv").write_text(text)
    history = CsvHistory([CsvFile(probe, path, value, VALUES)])
    return [sample for piece in history.slices(None, None) for sample in piece.samples]


def problems(folder: Path, text: str, value: str | None = "used_percent") -> list[str]:
    with pytest.raises(CsvError) as caught:
        read(folder, text, value)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "time",
    ["2023-11-14T22:13:20Z", "2023-11-14 22:13:20", "2023-11-14T23:13:20+01:00", "1700000000", "1700000000.0",
     "1700000000000", " 1700000000 "],
)  # fmt: skip
def test_times_are_iso_8601_or_since_the_epoch(tmp_path: Path, time: str) -> None:
    (sample,) = read(tmp_path, f"{time},91.5\n")
    assert (sample.probe_id, sample.at_ms, sample.status, dict(sample.values)) == (
        "disk", T, Status.UP, {"used_percent": 91.5},
    )  # fmt: skip
    assert isnan(sample.duration_s)


def test_a_header_names_the_columns_in_any_order(tmp_path: Path) -> None:
    up, down = read(
        tmp_path,
        "\ufeffstatus,timestamp,used_percent,free_bytes,message,duration\n"
        'up,1700000000,50,1e9,"fine, really",0.5\n\nDOWN,1700000060,,,gone,\n',
        None,
    )
    assert (up.status, dict(up.values), up.message, up.duration_s) == (
        Status.UP, {"used_percent": 50.0, "free_bytes": 1e9}, "fine, really", 0.5,
    )  # fmt: skip
    assert (down.status, dict(down.values), down.message) == (Status.DOWN, {}, "gone")


def test_a_header_of_time_and_value_is_accepted(tmp_path: Path) -> None:
    assert [dict(one.values) for one in read(tmp_path, "time,value\n1700000000,5\n")] == [{"used_percent": 5.0}]


def test_the_second_column_may_be_the_duration(tmp_path: Path) -> None:
    (sample,) = read(tmp_path, "1700000000,1.5\n", "duration")
    assert (sample.duration_s, dict(sample.values)) == (1.5, {})


def test_the_files_of_several_probes_are_read_side_by_side(tmp_path: Path) -> None:
    files = []
    for offset, probe in enumerate("ab"):
        (path := tmp_path / probe).write_text("".join(f"{1_700_000_000 + 2 * n + offset},1\n" for n in range(5)))
        files.append(CsvFile(probe, path, "used_percent", VALUES))
    (piece,) = CsvHistory(files).slices(None, None)
    assert "".join(sample.probe_id for sample in piece.samples) == "ababababab"


def test_every_wrong_line_is_told(tmp_path: Path) -> None:
    text = (
        "1700000000,1\nyesterday,1\n1700000060\n1700000120,many\n1699999999,1\n-5,1\n1700000180,inf\n1700000240,1\n"
    )
    times = "accepted is an ISO 8601 time such as 2026-11-24T12:00:00Z, or seconds or milliseconds since the epoch"
    number = "is no used_percent; accepted is a number, or nothing"
    assert problems(tmp_path, text) == [
        f"disk.csv:2: 'yesterday' is no time; {times}",
        "disk.csv:3: has 1 columns, accepted are 2 (time,value)",
        f"disk.csv:4: 'many' {number}",
        "disk.csv:5: is before the line above it; accepted are lines in the order of their times",
        f"disk.csv:6: '-5' is no time; {times}",
        f"disk.csv:7: 'inf' {number}",
    ]


def test_beyond_twenty_wrong_lines_no_more_are_read(tmp_path: Path) -> None:
    told = problems(tmp_path, "1700000000,1\n" + "wrong,1\n" * 1000)
    assert len(told) == MOST_PROBLEMS + 1
    assert told[-1] == "and more: these are the first 20"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("status,used_percent", "the header names no column of times; accepted is timestamp or time"),
        ("timestamp,used_precent", f"disk has no 'used_precent' (did you mean 'used_percent'?); accepted: {COLUMNS}"),
        ("timestamp,status,status", "the column 'status' is there twice"),
    ],
)  # fmt: skip
def test_a_header_that_says_nothing_is_told(tmp_path: Path, header: str, said: str) -> None:
    assert problems(tmp_path, f"{header}\n1,2,3\n") == [f"disk.csv:1: {said}"]


def test_a_column_without_a_name_must_be_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "1700000000,5\n", None) == [
        "disk.csv:1: which value is the second column? Accepted: used_percent, free_bytes"
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    history = CsvHistory([CsvFile("disk", tmp_path / "none.csv", None, VALUES)])
    with pytest.raises(CsvError, match=r"none.csv: can not be read: No such file or directory"):
        list(history.slices(None, None))


def test_a_file_without_an_end_of_line_is_not_read_for_ever() -> None:
    history = CsvHistory([CsvFile("disk", Path("/dev/zero"), "used_percent", VALUES)])
    with pytest.raises(CsvError, match="and more: these are the first 20"):
        list(history.slices(None, None))
