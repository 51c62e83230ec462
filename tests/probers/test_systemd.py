"""The systemd prober, on a real manager and on programs that pass for systemctl."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.peers.systemd import systemctl_that_says, user_manager
from tests.probers.asking import BLINK, NOW_MS, a_probe, ask, run
from watchkeeper.domain.probe import Sample, Status

UNITS = {
    "test.target": "[Unit]\nWants=good.service failing.service done.service\n",
    "good.service": "[Service]\nExecStart=/bin/sleep 600\n",
    "failing.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n",
    "done.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "never.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "broken.service": "[Service]\nType=simple\n",
}
Look = Callable[..., Sample]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    with user_manager(tmp_path_factory.mktemp("systemd"), UNITS) as program:
        own = {"manager": "user", "program": str(program)}
        yield lambda unit, **options: run(ask("systemd", {"unit": unit, **own, **options}))


def says(folder: Path, text: str, timeout: str = "5s", *, then: str = "", **options: Any) -> Sample:
    program = systemctl_that_says(folder, text, then=then)
    return run(ask("systemd", {"unit": "shop", "program": program, **options}, timeout))


def test_a_service_that_runs_is_up_and_says_since_when(look: Look) -> None:
    sample = look("good")
    assert (sample.status, sample.facts["state"], sample.facts["sub_state"]) == (Status.UP, "active", "running")
    assert sample.message.startswith("good is active (running), since ")
    assert (sample.values["active"], sample.values["restarts"]) == (1, 0)
    assert 0 <= sample.values["since_seconds"] < 60
    since = sample.facts["since"]
    assert isinstance(since, datetime)
    assert datetime.fromtimestamp(NOW_MS / 1000, UTC) - since < timedelta(minutes=1)


def test_a_target_has_no_restarts(look: Look) -> None:
    sample = look("test.target")
    assert (sample.status, "restarts" in sample.values) == (Status.UP, False)


@pytest.mark.parametrize("expect", ["active", "success"])
def test_a_service_whose_last_run_failed_is_down_and_says_how(look: Look, expect: str) -> None:
    sample = look("failing.service", expect=expect)
    assert (sample.status, sample.facts["state"], sample.facts["result"]) == (Status.DOWN, "failed", "exit-code")
    assert sample.values["exit_status"] == 3
    assert 0 <= sample.values["last_run_age_seconds"] < 60
    assert sample.message.endswith(", its last result is exit-code")


def test_a_job_that_ended_well_is_not_active_and_yet_well_where_that_is_expected(look: Look) -> None:
    assert look("done").status is Status.DOWN
    sample = look("done", expect="success")
    assert (sample.status, sample.facts["state"], sample.values["exit_status"]) == (Status.UP, "inactive", 0)


def test_a_job_that_has_not_run_yet_says_so(look: Look) -> None:
    sample = look("never", expect="success")
    assert (sample.status, "last_run_age_seconds" in sample.values) == (Status.UP, False)
    assert sample.message.endswith(", and has not run yet")


def test_a_unit_that_there_is_not_is_down(look: Look) -> None:
    sample = look("nothing.service")
    assert (sample.status, sample.message) == (Status.DOWN, "systemd knows no unit nothing.service")


def test_a_unit_whose_file_is_wrong_is_down(look: Look) -> None:
    sample = look("broken")
    assert (sample.status, sample.message) == (Status.DOWN, "broken could not be loaded: bad-setting")


def test_a_manager_that_is_not_there_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    sample = run(ask("systemd", {"unit": "shop", "manager": "user"}))
    assert sample.status is Status.UNKNOWN


def test_without_systemctl_it_is_unknown_and_says_what_to_install() -> None:
    sample = run(ask("systemd", {"unit": "shop", "program": "no-such-program"}))
    assert (sample.status, sample.message) == (
        Status.UNKNOWN,
        "the program no-such-program is not there: install it",
    )


def test_a_systemctl_that_fails_is_unknown_and_says_why(tmp_path: Path) -> None:
    sample = says(tmp_path, "", then="echo 'Failed to connect to bus: Host is down' >&2; exit 1")
    assert sample.status is Status.UNKNOWN
    assert sample.message == "could not ask systemd for shop: Failed to connect to bus: Host is down"


@pytest.mark.parametrize("text", ["", "nonsense", "ActiveState=", "LoadState=loaded\n\0\0"])
def test_a_systemctl_that_says_nothing_of_the_unit_is_unknown(tmp_path: Path, text: str) -> None:
    assert says(tmp_path, text).status is Status.UNKNOWN


def test_a_systemctl_that_hangs_is_unknown_in_time(tmp_path: Path) -> None:
    sample = says(tmp_path, "ActiveState=active", BLINK, then="sleep 60")
    assert (sample.status, sample.duration_s < 2) == (Status.UNKNOWN, True)
    assert sample.message == f"systemd told nothing about shop within {BLINK}"


def test_a_systemctl_that_says_more_and_more_is_unknown(tmp_path: Path) -> None:
    sample = says(tmp_path, "ActiveState=active", then="exec cat /dev/zero")
    assert (sample.status, "said more than" in sample.message) == (Status.UNKNOWN, True)


def test_what_systemd_counts_is_told(tmp_path: Path) -> None:
    text = "ActiveState=active\nMemoryCurrent=1048576\nTasksCurrent=3\nNRestarts=2"
    assert says(tmp_path, text).values == {"active": 1, "memory_bytes": 1048576, "tasks": 3, "restarts": 2}


def test_numbers_that_are_not_set_are_left_out(tmp_path: Path) -> None:
    text = "ActiveState=active\nMemoryCurrent=[not set]\nTasksCurrent=18446744073709551615\nNRestarts=x"
    assert says(tmp_path, text).values == {"active": 1}


def test_a_service_that_is_starting_is_not_well_yet(tmp_path: Path) -> None:
    sample = says(tmp_path, "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code")
    assert (sample.status, sample.message) == (
        Status.DOWN,
        "shop is activating (auto-restart), its last result is exit-code",
    )


def test_systemctl_is_told_the_unit_as_a_unit_and_gets_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSTEMD_LOG_LEVEL", "debug")
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\nenv > {tmp_path}/env\necho ActiveState=active\n')
    program.chmod(0o700)
    assert run(ask("systemd", {"unit": "shop@1.service", "program": str(program)})).status is Status.UP
    assert (tmp_path / "args").read_text().rstrip().endswith(" -- shop@1.service")
    assert "SYSTEMD_LOG_LEVEL" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize("unit", ["", "-H", "a b", "shop/../x", "x" * 300])
def test_a_unit_that_can_not_be_one_is_an_error(unit: str) -> None:
    with pytest.raises(ValidationError):
        a_probe("systemd", {"unit": unit})
