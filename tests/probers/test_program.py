"""Programs that probers run: their end, their output, their environment."""

import os
import time
from pathlib import Path
from threading import Timer

import pytest

from watchkeeper.domain.probe import Status
from watchkeeper.probers._program import Concluded, Ended, Interrupted, Work, clean_environment
from watchkeeper.schema.fields import Secret


def sh(script: str, work: Work | None = None) -> Ended:
    return (work or Work()).run(["sh", "-c", script], clean_environment({}))


def test_what_a_program_writes_and_its_exit_code_are_kept_apart() -> None:
    ended = sh("echo out; echo 'Fatal: no such thing.' >&2; echo 'see the manual' >&2; exit 3")
    assert (ended.code, ended.output) == (3, b"out\n")
    assert ended.reason == "Fatal: no such thing"


def test_a_program_that_says_nothing_is_explained_by_its_end() -> None:
    assert sh("exit 3").reason == "it ended with status 3"
    assert sh("kill -9 $$").reason == "signal 9 ended it"


def test_a_program_that_is_stopped_ends_with_all_that_it_started(tmp_path: Path) -> None:
    work = Work()
    Timer(0.3, work.stop).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        sh(f"(sleep 50 & echo $! > {tmp_path}/pid; wait) & while :; do echo drip; sleep 0.1; done", work)
    assert time.monotonic() - began < 3
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.02)
    with pytest.raises(Interrupted):
        sh("true", work)  # and nothing begins after it


def test_what_a_program_left_behind_is_not_waited_for() -> None:
    began = time.monotonic()
    assert sh("sleep 50 & echo done").output == b"done\n"
    assert time.monotonic() - began < 3


def test_output_without_end_is_unknown_and_of_errors_the_end_is_kept() -> None:
    with pytest.raises(Concluded) as concluded:
        sh("yes")
    assert concluded.value.finding.status is Status.UNKNOWN
    ended = sh("yes | head -c 1000000 >&2; echo last >&2")
    assert len(ended.errors) <= 2**16
    assert ended.reason == "last"


def test_a_program_sees_nothing_of_the_environment_but_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_WATCHKEEPER", "x")
    monkeypatch.setenv("SECRET", "geheim")
    told = clean_environment({"GIVEN": "1", "TOLD": Secret("env", "SECRET")})
    seen = Work().run(["env"], told).output.decode().splitlines()
    assert {"GIVEN=1", "TOLD=geheim", "LANG=C.UTF-8", f"PATH={os.environ['PATH']}"} <= set(seen)
    assert not [line for line in seen if line.startswith(("OF_WATCHKEEPER", "SECRET"))]
    with pytest.raises(Concluded, match="MISSING is not set"):
        clean_environment({"TOLD": Secret("env", "MISSING")})
