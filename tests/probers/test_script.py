"""The script prober: executables of users, good and bad."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.probers.asking import BLINK, a_probe, ask, run
from watchkeeper.domain.probe import Sample, Status


def printing(folder: Path, printed: str, code: int = 0, complaint: str = "", **options: Any) -> Sample:
    """The sample of an executable that prints something and ends."""
    (folder / "printed").write_text(printed)
    return of(folder, f"cat {folder}/printed; echo '{complaint}' >&2; exit {code}", **options)


def of(folder: Path, text: str, timeout: str = "10s", **options: Any) -> Sample:
    """The sample of an executable."""
    path = folder / "measure"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return run(ask("script", {"command": [str(path)], **options}, timeout))


def test_lines_of_names_and_numbers_are_values(tmp_path: Path) -> None:
    sample = printing(tmp_path, "the queue is fine.\n\ndepth=3\nage_seconds = 1.5e1\nmore text\n")
    assert (sample.status, sample.message) == (Status.UP, "the queue is fine")
    assert sample.values == {"depth": 3, "age_seconds": 15}
    assert sample.facts == {"exit_code": 0}


def test_a_line_may_say_the_message(tmp_path: Path) -> None:
    assert printing(tmp_path, "one\nmessage=the queue = fine\ntwo\n").message == "the queue = fine"
    assert printing(tmp_path, "depth=3").message == "measure says that it is up"


def test_json_says_all_at_once(tmp_path: Path) -> None:
    sample = printing(tmp_path, '{"message": "fine", "values": {"depth": 3, "age_seconds": 1.5}}')
    assert (sample.status, sample.message, sample.values) == (Status.UP, "fine", {"depth": 3, "age_seconds": 1.5})


@pytest.mark.parametrize(("status", "failure"), [("down", "answer"), ("unknown", "local")])
def test_json_may_say_the_status(tmp_path: Path, status: str, failure: str) -> None:
    sample = printing(tmp_path, f'{{"status": "{status}", "values": {{"depth": 3}}}}')
    assert (sample.status, sample.facts["failure"], sample.values) == (status, failure, {"depth": 3})
    assert sample.message == f"measure says that it is {status}"


def test_exit_code_1_is_down_whatever_is_printed(tmp_path: Path) -> None:
    sample = printing(tmp_path, "the queue is full\ndepth=900\n", 1)
    assert (sample.status, sample.facts["failure"], sample.values) == (Status.DOWN, "answer", {"depth": 900})
    assert sample.message == "the queue is full"
    assert printing(tmp_path, '{"status": "up", "val', 1).status is Status.DOWN


def test_another_exit_code_and_a_signal_are_unknown(tmp_path: Path) -> None:
    sample = printing(tmp_path, "depth=3\n", 2, "Traceback\nConnectionError: no route")
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"exit_code": 2, "failure": "local"})
    assert sample.message == "measure ended with exit code 2: ConnectionError: no route"
    assert "killed by signal 9" in of(tmp_path, "kill -KILL $$").message


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("depth=many", "'depth=many': accepted is NAME=NUMBER"),
        ("depth=nan", "accepted is NAME=NUMBER"),
        ("depth=1_0", "accepted is NAME=NUMBER"),
        ("Depth=1", "a value named 'Depth': accepted are"),
        ("status=1", "means something else in rules"),
        ("items=1", "means something else in rules"),
        ("used_percent=101", "lies between 0 and 100"),
        ("{", "no JSON as it is accepted"),
        ('{"values": {"depth": "3"}}', "values.depth: Input should be a valid number"),
        ('{"values": {"depth": NaN}}', "values.depth: Input should be a finite number"),
        ('{"valeus": {}}', "valeus: Extra inputs are not permitted"),
        ('{"status": "fine"}', "status: Input should be 'up', 'down' or 'unknown'"),
        ('{"a":' * 100_000, "no JSON as it is accepted"),
        ("\n".join(f"v{number}=1" for number in range(201)), "201 values: accepted are up to 200"),
    ],
)
def test_what_can_not_be_taken_is_unknown_and_told(tmp_path: Path, printed: str, said: str) -> None:
    sample = printing(tmp_path, printed, max_output="1MiB")
    assert (sample.status, sample.values) == (Status.UNKNOWN, {})
    assert said in sample.message


def test_more_than_it_may_print_is_unknown(tmp_path: Path) -> None:
    sample = printing(tmp_path, "depth=3\n" * 1000, max_output="1KiB")
    assert (sample.status, sample.message) == (Status.UNKNOWN, "measure prints more than max_output")


def test_one_that_hangs_is_killed_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    sample = of(tmp_path, "trap '' TERM; sleep 60 & wait", timeout=BLINK)
    assert time.monotonic() - began < 3
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")


def test_one_that_is_not_there_is_unknown() -> None:
    sample = run(ask("script", {"command": ["/no/such/script"]}))
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message == "could not run /no/such/script: No such file or directory"


def test_it_gets_its_secrets_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "s3cret")
    sample = of(tmp_path, 'echo "length=${#API_TOKEN}"', environment={"API_TOKEN": {"env": "THE_SECRET"}})
    assert sample.values == {"length": 6}


def test_it_is_found_beside_the_file_that_names_it(tmp_path: Path) -> None:
    probe = a_probe("script", {"command": ["bin/measure", "-v"]}, base=tmp_path)
    assert probe.options.command == (str(tmp_path / "bin/measure"), "-v")
