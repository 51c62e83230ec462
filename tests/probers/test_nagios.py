"""The nagios prober, with the plugins of Debian's monitoring-plugins-basic and with scripts that misbehave."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.servers import refused_port, says, serving
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find
from watchkeeper.probers.nagios import FOLDERS


def plugin(name: str) -> str:
    """The path of a real plugin."""
    for folder in FOLDERS:
        if os.access(path := f"{folder}/{name}", os.X_OK):
            return path
    pytest.skip("monitoring-plugins is not installed (tests/install-peers.sh installs it)")


def of(*command: str, timeout: str = "10s", **options: Any) -> Sample:
    """The sample of a plugin."""
    return run(ask("nagios", {"command": list(command), **options}, timeout))


def script(folder: Path, text: str) -> str:
    """An executable."""
    path = folder / "check_it"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def gone(pid: int) -> bool:
    """Whether a process ends before long."""
    latest = time.monotonic() + 5
    while time.monotonic() < latest:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_check_disk_tells_how_full_a_disk_is() -> None:
    plugin("check_disk")
    sample = of("check_disk", "-w", "1%", "-c", "0%", "-p", "/")
    assert (sample.status, sample.facts["state"], sample.facts["exit_code"]) == (Status.UP, "ok", 0)
    assert sample.message.startswith("DISK OK")
    statvfs = os.statvfs("/")
    size = statvfs.f_blocks * statvfs.f_frsize
    assert 0 < sample.values["root"] < size * 1.01
    assert sample.values["root_min"] == 0
    assert 0.5 * size < sample.values["root_max"] < 1.01 * size
    assert sample.values["root_warning_high"] < sample.values["root_critical_high"]
    assert sample.values["unreadable_data"] == 0


def test_check_http_asks_a_web_server() -> None:
    command = plugin("check_http")

    async def main() -> Sample:
        async with serving(says(b"fine")) as server:
            arguments = [command, "-I", "127.0.0.1", "-p", str(server.port), "-w", "5", "-c", "8"]
            return await ask("nagios", {"command": arguments})

    sample = run(main())
    assert sample.status is Status.UP, sample.message
    assert 0 < sample.values["time"] < 5
    assert (sample.values["time_warning_high"], sample.values["time_critical_high"]) == (5, 8)
    assert sample.values["size"] > 0


def test_check_http_of_a_refused_port_is_down() -> None:
    sample = of(plugin("check_http"), "-I", "127.0.0.1", "-p", str(refused_port()))
    assert (sample.status, sample.facts["state"], sample.facts["failure"]) == (Status.DOWN, "critical", "answer")
    assert "refused" in sample.message.lower()


def test_check_ping_has_loss_and_round_trip_time() -> None:
    sample = of(plugin("check_ping"), "-H", "127.0.0.1", "-w", "100,50%", "-c", "500,90%", "-p", "1")
    if sample.facts.get("state") != "ok":
        pytest.skip(f"this machine may not ping: {sample.message}")
    assert sample.values["pl"] == 0
    assert (sample.values["rta_warning_high"], sample.values["pl_critical_high"]) == (0.1, 90)


def test_check_load_prints_three_averages() -> None:
    sample = of(plugin("check_load"), "-w", "900", "-c", "999")
    assert {"load1", "load5", "load15"} <= sample.values.keys()


@pytest.mark.parametrize(
    ("code", "status", "state", "failure"),
    [
        (0, "up", "ok", None),
        (1, "up", "warning", None),
        (2, "down", "critical", "answer"),
        (3, "unknown", "unknown", "local"),
    ],
)
def test_exit_codes_are_states(code: int, status: str, state: str, failure: str | None) -> None:
    sample = of(plugin("check_dummy"), str(code), "said so.")
    assert (sample.status, sample.facts["state"], sample.facts.get("failure")) == (status, state, failure)
    assert sample.message.endswith("said so")


def test_a_warning_may_be_down() -> None:
    sample = of(plugin("check_dummy"), "1", "hm", warning="down")
    assert (sample.status, sample.facts["state"]) == (Status.DOWN, "warning")


def test_another_exit_code_is_unknown_and_told(tmp_path: Path) -> None:
    sample = of(script(tmp_path, "echo almost; exit 77"))
    assert (sample.status, sample.facts["exit_code"], "state" in sample.facts) == (Status.UNKNOWN, 77, False)
    assert sample.message == "check_it ended with exit code 77, which no plugin has: almost"


def test_one_that_a_signal_kills_is_unknown(tmp_path: Path) -> None:
    sample = of(script(tmp_path, "kill -SEGV $$"))
    assert sample.status is Status.UNKNOWN
    assert "was killed by signal 11" in sample.message


def test_a_plugin_that_is_not_there_is_unknown() -> None:
    sample = of("check_nonsense")
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message == "could not run check_nonsense: there is no such program"


def test_one_that_may_not_be_run_is_unknown(tmp_path: Path) -> None:
    (path := tmp_path / "check_it").write_text("#!/bin/sh\n")
    sample = of(str(path))
    assert sample.status is Status.UNKNOWN
    assert "Permission denied" in sample.message


def test_one_that_prints_nothing_says_what_it_complained_of(tmp_path: Path) -> None:
    sample = of(script(tmp_path, "echo no route >&2; exit 2"))
    assert sample.status is Status.DOWN
    assert sample.message == "check_it printed no text, but complained: no route"
    assert of("true").message == "true printed no text"


def test_long_output_and_data_beyond_their_thresholds_are_facts(tmp_path: Path) -> None:
    text = "OK | a=5;1;2 b=1;;@0:3\\nmore\\ntext | c=7;5;9 d=oops"
    sample = of(script(tmp_path, f"printf '{text}'; exit 1"))
    assert sample.facts["long_output"] == "more\ntext"
    assert sample.facts["beyond"] == "a (critical), b (critical), c (warning)"
    assert sample.values["unreadable_data"] == 1
    assert (sample.values["b_critical_low"], sample.values["b_critical_high"]) == (0, 3)


def test_thresholds_can_be_left_out() -> None:
    assert of("echo", "OK | a=5;1;2;0;9", thresholds=False).values == {"a": 5, "unreadable_data": 0}


def test_labels_that_become_the_same_name_are_kept_apart() -> None:
    assert of("echo", "OK | 'a b'=1 a_b=2 A-B=3").values == {"a_b": 1, "a_b_2": 2, "a_b_3": 3, "unreadable_data": 0}


def test_its_environment_is_clean_and_has_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "1")
    monkeypatch.setenv("THE_SECRET", "s3cret")
    sample = of("env", environment={"MODE": "quick", "PGPASSWORD": {"env": "THE_SECRET"}})
    found = (sample.message + "\n" + str(sample.facts["long_output"])).splitlines()
    assert sorted(line.partition("=")[0] for line in found) == ["LANG", "MODE", "PATH", "PGPASSWORD"]
    assert "PGPASSWORD=s3cret" in found


def test_a_secret_that_is_missing_is_unknown() -> None:
    sample = of("env", environment={"PGPASSWORD": {"env": "NO_SUCH_VARIABLE"}})
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the environment variable NO_SUCH_VARIABLE is not set"


def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert of("echo", f"$(touch {made}); touch {made} `touch {made}`").status is Status.UP
    assert not made.exists()


def test_at_the_deadline_its_whole_process_group_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    sample = of(script(tmp_path, f"sleep 60 & echo $! $$ >{pids}; trap '' TERM; wait"), timeout="1s")
    assert time.monotonic() - began < 3
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")
    assert sample.message == "did not end within 1s, and was killed"
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_what_it_leaves_behind_is_killed_and_not_waited_for(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    sample = of(script(tmp_path, f"sleep 60 & echo $! >{pids}; echo OK"))
    assert time.monotonic() - began < 5
    assert (sample.status, sample.message) == (Status.UP, "OK")
    assert gone(int(pids.read_text()))


def test_one_that_drips_is_ended_in_time(tmp_path: Path) -> None:
    sample = of(script(tmp_path, "while :; do printf x; sleep 0.05; done"), timeout=BLINK)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")
    assert sample.duration_s < 2


def test_one_that_prints_without_end_is_ended_in_time() -> None:
    sample = of("yes", timeout="500ms")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")


def test_of_much_output_the_beginning_is_kept(tmp_path: Path) -> None:
    sample = of(script(tmp_path, "echo 'OK | a=1'; head -c 3000000 /dev/zero; exit 1"), max_output="1KiB")
    assert (sample.facts["state"], sample.values["a"]) == ("warning", 1)
    assert len(str(sample.facts.get("long_output", ""))) <= 2000


def test_output_that_is_no_text_is_told_as_text(tmp_path: Path) -> None:
    sample = of(script(tmp_path, r"printf 'O\377K\033[31m\tred \000 | x\001=1'"))
    assert sample.message.isprintable()
    assert sample.values["x"] == 1


def test_runs_that_hang_do_not_hold_up_others() -> None:
    async def main() -> tuple[Sample, list[Sample]]:
        prober = find("nagios").make(now)
        slow = [a_probe("nagios", {"command": ["sleep", "60"]}, "1s", id_=str(number)) for number in range(8)]
        hanging = [asyncio.create_task(prober.run(probe)) for probe in slow]
        await asyncio.sleep(0)
        quick = await prober.run(a_probe("nagios", {"command": ["echo", "OK"]}, "900ms", id_="quick"))
        ended = await asyncio.gather(*hanging)
        await prober.close()
        return quick, ended

    quick, ended = run(main())
    assert quick.status is Status.UP
    assert {sample.message for sample in ended} == {"did not end within 1s, and was killed"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": []}, "at least 1"),
        ({"command": "check_disk -w 10%"}, "tuple"),
        ({"command": [""]}, "begin with a program"),
        ({"command": ["a\0b"]}, "zero byte"),
        ({"command": ["x"], "environment": {"A B": "1"}}, "name of a variable"),
        ({"command": ["x"], "environment": {"DB_PASSWORD": "1"}}, "a secret does not stand in the file"),
        ({"command": ["x"], "warning": "degraded"}, "'up' or 'down'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_probe("nagios", options)


def test_a_plugin_with_a_slash_is_relative_to_the_file(tmp_path: Path) -> None:
    script(tmp_path, "echo OK")
    probe = a_probe("nagios", {"command": ["./check_it"]}, base=tmp_path)
    assert probe.options.command == (str(tmp_path / "check_it"),)
