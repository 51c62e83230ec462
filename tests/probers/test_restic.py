"""The restic prober, at real repositories."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.peers import restic
from tests.peers.restic import HOUR, PASSWORD, Repository
from tests.probers.asking import NOW_MS, a_probe, ask, ask_by, now, run
from tests.probers.servers import refused_port, sends_and_hangs, serving
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

pytestmark = pytest.mark.xdist_group("restic")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("SHOP_RESTIC", PASSWORD)
    return restic.repository()


def options(repository: Path | str, **more: Any) -> dict[str, Any]:
    cache = str(restic.repository().folder / "cache")
    return {"repository": str(repository), "password": {"env": "SHOP_RESTIC"}, "cache": cache, **more}


def look(repository: Path | str, timeout: str = "30s", **more: Any) -> Sample:
    return run(ask("restic", options(repository, **more), timeout))


def test_snapshots_that_are_as_they_should_be_are_up_and_the_newest_is_told(made: Repository) -> None:
    sample = look(
        made.repository,
        hosts=["db1"],
        tags=["nightly"],
        path=str(made.source),
        newest_within="26h",
        min_count=3,
        min_size="2kB",
    )
    assert sample.status is Status.UP, sample.message
    newest = sample.facts["newest"]
    assert sample.message == f"3 snapshots, the newest snapshot of db1 is {newest} with 2.0KiB, 2h old"
    assert sample.values == {
        "count": 3,
        "newest_age_seconds": 2 * HOUR,
        "newest_size_bytes": 2000,
        "growth_bytes": 1000,
        "growth_percentage": 100,
        "locks": 0,
        "stale_locks": 0,
    }
    assert sample.facts["last_backup"] == datetime.fromtimestamp(NOW_MS / 1000 - 2 * HOUR, UTC)
    assert sample.facts["host"] == "db1"
    assert sample.facts["paths"] == str(made.source)


def test_of_several_hosts_each_must_have_a_recent_snapshot(made: Repository) -> None:
    sample = look(made.repository, hosts=["db1", "db2"], newest_within="26h")
    assert sample.status is Status.DOWN
    assert (
        sample.message == f"the newest snapshot of db2, {sample.facts['newest']}, is 1d6h old, expected within 1d2h"
    )
    assert sample.values["newest_age_seconds"] == 30 * HOUR
    assert look(made.repository, newest_within="26h").status is Status.UP  # together they have one


def test_a_host_without_a_snapshot_is_down_and_named(made: Repository) -> None:
    sample = look(made.repository, hosts=["db1", "db3"])
    assert (sample.status, sample.message) == (Status.DOWN, "there is no snapshot of db3")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"tags": ["weekly"]}, "there is no snapshot that matches"),
        ({"path": "/elsewhere"}, "there is no snapshot that matches"),
        ({"hosts": ["db2"], "min_count": 2}, "1 snapshot of db2, expected at least 2"),
        ({"min_size": "1MiB"}, "has only 2.0KiB, expected at least 1.0MiB"),
    ],
)
def test_snapshots_that_are_missing_too_few_or_too_small_are_down(
    made: Repository, expected: dict[str, Any], message: str
) -> None:
    sample = look(made.repository, **expected)
    assert sample.status is Status.DOWN
    assert sample.message.endswith(message)


def test_a_repository_without_a_snapshot_is_down(made: Repository) -> None:
    sample = look(restic.empty().repository)
    assert (sample.status, sample.message) == (Status.DOWN, "there is no snapshot")
    assert sample.values["count"] == 0


def test_a_lock_that_nobody_renews_is_stale_and_one_at_work_is_not(made: Repository, tmp_path: Path) -> None:
    copy = made.copy(tmp_path)
    environment = {**made.environment, "RESTIC_REPOSITORY": str(copy)}
    command, quiet = ["restic", "backup", "--stdin"], subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=environment) as backup:
        sample = _until_locked(copy)
        backup.kill()  # and leaves its lock behind
    assert (sample.status, sample.values["locks"]) == (Status.UP, 1)
    assert sample.values["stale_locks"] == 0  # it is dated after the tests' now
    an_hour_later = int(datetime.now(UTC).timestamp() * 1000) + 3600_000
    sample = run(ask_by(find("restic").make(lambda: an_hour_later), a_probe("restic", options(copy), "30s")))
    assert sample.status is Status.UP
    assert sample.values["stale_locks"] == 1
    assert sample.values["oldest_lock_seconds"] == pytest.approx(3600, abs=60)
    assert "restic unlock removes it" in sample.message


def _until_locked(repository: Path) -> Sample:
    for _ in range(10):
        sample = look(repository)
        if sample.values["locks"]:
            return sample
    raise AssertionError("restic made no lock")


def test_a_look_writes_nothing_to_the_repository(made: Repository) -> None:
    before = _files(made.repository)
    look(made.repository)
    look(made.repository, check=True)
    assert _files(made.repository) == before


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_repository_that_is_whole_passes_its_check(made: Repository) -> None:
    sample = look(made.repository, check=True, read_data="100%")
    assert (sample.status, sample.message) == (Status.UP, "the repository has no errors, 100% of its data read")
    assert sample.values["check_seconds"] > 0


def test_a_repository_that_is_damaged_fails_its_check_and_says_where(made: Repository, tmp_path: Path) -> None:
    copy = made.copy(tmp_path)
    pack = max((path for path in (copy / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    with pack.open("ab") as file:
        file.write(b"damage")
    sample = look(copy, check=True)
    assert sample.status is Status.DOWN
    assert sample.message.startswith(f"the repository is damaged: pack {pack.name}: unexpected file size")


def test_a_repository_that_is_not_there_is_down(made: Repository, tmp_path: Path) -> None:
    for check in (False, True):
        sample = look(tmp_path / "missing", check=check)
        assert sample.status is Status.DOWN
        assert sample.message.startswith("the repository can not be read: unable to open config file")


def test_a_wrong_password_is_down_as_nobody_could_restore_with_it(
    made: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_RESTIC", "wrong horse")
    sample = look(made.repository)
    assert sample.status is Status.DOWN
    assert sample.message == "the repository does not open: wrong password or no key found"


def test_a_server_that_refuses_is_down_and_one_that_says_nothing_is_down_in_time(made: Repository) -> None:
    sample = look(f"rest:http://127.0.0.1:{refused_port()}/")
    assert sample.status is Status.DOWN
    assert "connection refused" in sample.message

    async def main() -> Sample:
        async with serving(sends_and_hangs(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")) as server:
            return await ask("restic", options(f"rest:{server.url()}"), "2s")

    sample = run(main())
    assert (sample.status, sample.message) == (Status.DOWN, "listing the snapshots was not done within 2s")
    assert sample.duration_s < 3


def test_what_watchkeeper_lacks_is_unknown(made: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = look(made.repository, program="restic-of-nobody")
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the program restic-of-nobody is not there: install it"
    monkeypatch.delenv("SHOP_RESTIC")
    sample = look(made.repository)
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the environment variable SHOP_RESTIC is not set"


def test_a_program_that_answers_nonsense_is_unknown(made: Repository, tmp_path: Path) -> None:
    for answer in ("gibberish", '[{"id": 7}]', '{"a": 1}'):
        program = tmp_path / "restic"
        program.write_text(f"#!/bin/sh\necho '{answer}'\n")
        program.chmod(0o700)
        sample = look(made.repository, program=str(program))
        assert sample.status is Status.UNKNOWN
        assert sample.message.startswith("restic answered something that can not be read")


def test_no_secret_is_seen_in_the_arguments_or_told_in_a_message(
    made: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_REPOSITORY", "rest:http://me:geheim@nowhere.invalid/")
    program = tmp_path / "restic"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/seen\necho "Fatal: $RESTIC_REPOSITORY $RESTIC_PASSWORD no" >&2\nexit 1\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("OTHER", "is not handed on")
    asked = {**options("x"), "repository": {"env": "SHOP_REPOSITORY"}, "program": str(program)}
    sample = run(ask("restic", asked))
    assert sample.message == "the repository can not be read: … … no"
    assert "geheim" not in (tmp_path / "seen").read_text()
    assert PASSWORD not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"repository": "rest:https://me:geheim@host/"}, "a secret does not stand in the file"),
        ({"password": "geheim"}, "a secret does not stand in the file"),
        ({"read_data": "5%"}, "set check: true"),
        ({"check": True, "read_data": "a lot"}, "pattern"),
        ({"check": True, "hosts": ["db1"]}, "take out hosts"),
        ({"min_count": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_mean_nothing_are_errors(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("restic", {"repository": "/backup", "password": {"env": "P"}, **wrong})


def test_the_sizes_of_snapshots_are_asked_for_once(made: Repository, tmp_path: Path) -> None:
    real = shutil.which("restic")
    program = tmp_path / "restic"
    program.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/seen\nexec {real} "$@"\n')
    program.chmod(0o700)

    async def main() -> None:
        prober = find("restic").make(now)
        for _ in range(2):
            await prober.run(a_probe("restic", options(made.repository, program=str(program)), "30s"))
        await prober.close()

    run(main())
    assert (tmp_path / "seen").read_text().split().count("stats") == 2
