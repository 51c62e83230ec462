"""The process prober, on programs that the tests start."""

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from pydantic import ValidationError

from tests.probers.asking import a_probe, ask, run
from tests.probers.machine import Readings
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import process

UNTIL_S = 10.0


@pytest.fixture
def word() -> str:
    """A word that stands in no other command line of this machine."""
    return f"wk{uuid4().hex}"


@pytest.fixture
def started(word: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two programs with the word in their command lines. They are ready: each has 50 files open."""
    code = "import os, time; f = [os.open('/', 0) for _ in range(50)]; print(flush=True); time.sleep(600)"
    running = [subprocess.Popen([sys.executable, "-c", code, word], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline()
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait(10)
            assert one.stdout is not None
            one.stdout.close()


def look(**options: Any) -> Sample:
    return run(ask("process", options))


def by_the_real_clock(**options: Any) -> Sample:
    async def main() -> Sample:
        prober = process.make(lambda: int(time.time() * 1000), Readings().make)
        sample = await prober.run(a_probe("process", options))
        await prober.close()
        return sample

    return run(main())


@pytest.mark.usefixtures("started")
def test_programs_that_run_are_counted_with_what_they_take(word: str) -> None:
    sample = by_the_real_clock(command=word)
    assert sample.status is Status.UP
    assert sample.message.startswith(f"2 processes /{word}/, with ")
    values = sample.values
    assert (values["count"], values["threads"]) == (2, 2)
    assert values["rss_bytes"] > 2 * 2**20
    assert 100 <= values["descriptors"] < 200
    assert 0 < values["descriptors_used_percent"] <= 100
    assert 0 <= values["youngest_age_seconds"] <= values["oldest_age_seconds"] < 60


def test_how_many_cpus_they_keep_busy_is_told(word: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass", word]) as busy:
        try:
            latest = time.monotonic() + UNTIL_S
            while look(command=word).values.get("busy_cpus", 0) < 0.2:
                assert time.monotonic() < latest
        finally:
            busy.kill()


def test_a_program_that_does_not_run_is_down(word: str) -> None:
    sample = look(command=word)
    assert (sample.status, sample.message) == (Status.DOWN, f"no process /{word}/")
    assert sample.values == {"count": 0}


def test_a_program_is_found_by_its_name_and_user(started: list[Any]) -> None:
    name, user = psutil.Process(started[0].pid).name(), pwd.getpwuid(os.getuid()).pw_name
    assert look(name=name, user=user).values["count"] >= 2
    assert look(name=name, user="nobody-at-all").status is Status.DOWN
    assert look(name=name[:-1]).status is Status.DOWN


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"min_count": 2}, Status.UP),
        ({"min_count": 3}, Status.DOWN),
        ({"max_count": 1}, Status.DOWN),
        ({"min_count": 0, "max_count": 0}, Status.DOWN),
    ],
)
def test_there_may_be_too_few_or_too_many(word: str, counts: dict[str, int], status: Status) -> None:
    assert look(command=word, **counts).status is status


def test_a_program_that_must_not_run_and_does_not_is_up(word: str) -> None:
    assert look(command=word, min_count=0, max_count=0).status is Status.UP


def test_the_process_of_a_file_is_looked_at(started: list[Any], word: str, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(f"{started[0].pid}\nmore\n")
    assert look(pid_file=str(file)).values["count"] == 1
    assert look(pid_file=str(file), command=word).status is Status.UP
    sample = look(pid_file=str(file), command="another")
    assert sample.message == f"the process of {file} has ended, or is another program"
    started[0].kill()
    started[0].wait()
    assert look(pid_file=str(file)).status is Status.DOWN


def test_a_file_that_is_not_there_is_down_and_one_without_a_number_is_unknown(tmp_path: Path) -> None:
    sample = look(pid_file=str(tmp_path / "pid"))
    assert (sample.status, sample.message) == (Status.DOWN, f"there is no file {tmp_path}/pid")
    for text in ("", "none", "-1", "0", "99999999999999"):
        (tmp_path / "pid").write_text(text)
        assert look(pid_file=str(tmp_path / "pid")).status is Status.UNKNOWN
    assert look(pid_file=str(tmp_path)).status is Status.UNKNOWN


def test_a_program_that_has_ended_and_that_nobody_waited_for_does_not_run(word: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "", word])
    try:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert look(pid_file="/dev/null", command=word).status is Status.UNKNOWN
        assert look(command=word).values["count"] == 0
    finally:
        ended.wait()


def test_where_processes_of_others_are_hidden_watchkeeper_can_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stat").write_text("btime 1700000000\n")
    (tmp_path / "4000000").mkdir()  # one of its own, which has just ended
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))  # as hidepid=invisible has it: not even the first one
    sample = look(name="sshd")
    assert (sample.status, "/proc hides the processes of other users" in sample.message) == (Status.UNKNOWN, True)
    assert look(name="sshd", min_count=0, max_count=0).status is Status.UNKNOWN


@pytest.mark.parametrize(
    "options", [{}, {"user": "root"}, {"command": "("}, {"name": "a", "max_count": 0}, {"name": "a", "min_count": -1}]
)
def test_options_that_make_no_sense_are_an_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_probe("process", options)
