"""The borg prober, and drills of borg, at real repositories."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.peers import borg
from tests.peers.borg import HOUR, PASSPHRASE, Repository
from tests.probers.asking import NOW_MS, a_probe, ask, run
from tests.probers.drills import drill, place
from watchkeeper.domain.probe import Sample, Status

pytestmark = pytest.mark.xdist_group("borg")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("SHOP_BORG", PASSPHRASE)
    return borg.repository()


def options(repository: Path | str, **more: Any) -> dict[str, Any]:
    base = str(borg.repository().base)
    return {"repository": str(repository), "passphrase": {"env": "SHOP_BORG"}, "base": base, **more}


def look(repository: Path | str, timeout: str = "30s", **more: Any) -> Sample:
    return run(ask("borg", options(repository, **more), timeout))


def test_archives_that_are_as_they_should_be_are_up_and_the_newest_is_told(made: Repository) -> None:
    sample = look(made.repository, archives=["db1-*"], newest_within="26h", min_count=2, min_size="2kB")
    assert sample.status is Status.UP, sample.message
    assert sample.message == "2 archives, the newest is db1-2 with 2.0KiB, 2h old"
    assert sample.values == {
        "count": 2,
        "newest_age_seconds": 2 * HOUR,
        "newest_size_bytes": 2000,
        "growth_bytes": 1000,
        "growth_percentage": 100,
        "locks": 0,
        "stale_locks": 0,
    }
    assert sample.facts == {"newest": "db1-2", "last_backup": datetime.fromtimestamp(NOW_MS / 1000 - 2 * HOUR, UTC)}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            {"archives": ["db1-*", "db2-*"], "newest_within": "26h"},
            "archive, db2-1, is 1d6h old, expected within 1d2h",
        ),
        ({"archives": ["db1-*", "db3-*"]}, "there is no archive db3-*"),
        ({"archives": ["db2-*"], "min_count": 2}, "1 archive db2-*, expected at least 2"),
        ({"min_size": "1MiB"}, "has only 2.0KiB, expected at least 1.0MiB"),
    ],
)
def test_archives_that_are_missing_old_or_too_small_are_down(
    made: Repository, expected: dict[str, Any], message: str
) -> None:
    sample = look(made.repository, **expected)
    assert sample.status is Status.DOWN
    assert sample.message.endswith(message)


def test_a_repository_without_an_archive_is_down(made: Repository) -> None:
    sample = look(borg.empty().repository)
    assert (sample.status, sample.message) == (Status.DOWN, "there is no archive")


def test_a_lock_is_told_and_one_that_is_old_is_stale(made: Repository, tmp_path: Path) -> None:
    copy = shutil.copytree(made.repository, tmp_path / "copy")
    lock = copy / "lock.exclusive"
    lock.mkdir()
    (lock / "elsewhere@1.2345-0").touch()  # as one of another host, of which nobody here knows whether it lives
    for age_h, stale in ((1, 0), (25, 1)):
        at = NOW_MS / 1000 - age_h * HOUR
        os.utime(lock, (at, at))
        sample = look(copy)
        assert sample.status is Status.UP, sample.message
        assert (sample.values["locks"], sample.values["stale_locks"]) == (1, stale)
        assert sample.values["oldest_lock_seconds"] == age_h * HOUR
        assert ("borg break-lock" in sample.message) is bool(stale)
    sample = look(copy, check=True)
    assert sample.status is Status.UNKNOWN
    assert sample.message.startswith("the repository is locked, and was not checked")


def test_a_look_writes_nothing_to_the_repository(made: Repository) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.repository.rglob("*")}
    look(made.repository)
    assert {path: path.stat().st_mtime_ns for path in made.repository.rglob("*")} == before


def test_a_check_tells_whole_from_damaged(made: Repository, tmp_path: Path) -> None:
    copy = shutil.copytree(made.repository, tmp_path / "copy")
    sample = look(copy, check=True, verify_data=True)
    assert (sample.status, sample.message) == (Status.UP, "the repository has no errors, all of its data read")
    segment = max(
        (path for path in (copy / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 255
    segment.write_bytes(data)
    sample = look(copy, check=True)
    assert sample.status is Status.DOWN
    assert sample.message.startswith("the repository is damaged: Data integrity error")


def test_a_repository_that_does_not_open_is_down(
    made: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = look(tmp_path / "missing")
    assert sample.status is Status.DOWN
    assert sample.message == f"the repository can not be read: Repository {tmp_path}/missing does not exist"
    monkeypatch.setenv("SHOP_BORG", "wrong horse")
    sample = look(made.repository)
    assert (sample.status, sample.message) == (
        Status.DOWN,
        "the repository does not open: the passphrase is wrong",
    )


def test_a_server_that_says_nothing_is_down_in_time(made: Repository, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nsleep 60\n")
    silent.chmod(0o700)
    sample = look("ssh://nobody@nowhere.invalid/x", "1s", env={"BORG_RSH": str(silent)})
    assert (sample.status, sample.message) == (Status.DOWN, "listing the archives was not done within 1s")


def test_what_watchkeeper_lacks_is_unknown(made: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = look(made.repository, program="borg-of-nobody")
    assert (sample.status, sample.message) == (
        Status.UNKNOWN,
        "the program borg-of-nobody is not there: install it",
    )
    program = tmp_path / "borg"
    program.write_text("#!/bin/sh\necho '{}'\n")
    program.chmod(0o700)
    sample = look(made.repository, program=str(program))
    assert sample.status is Status.UNKNOWN
    assert sample.message.startswith("borg answered something that can not be read")
    monkeypatch.delenv("SHOP_BORG")
    assert look(made.repository).message == "the environment variable SHOP_BORG is not set"


def test_a_drill_restores_the_newest_archive(made: Repository) -> None:
    data = str(made.source / "data")
    before = {path: path.stat().st_mtime_ns for path in made.repository.rglob("*")}
    with place() as scratch:
        sample = drill(
            scratch, borg=options(made.repository, archives="db1-*"), files={"present": [data], "min_size": "2kB"}
        )
        assert sample.status is Status.UP, sample.message
        assert sample.message.startswith("archive db1-2 was restored in ")
        assert (sample.values["restored_files"], sample.values["restored_bytes"]) == (1, 2000)
        sample = drill(scratch, borg=options(made.repository, archives="db9-*"))
        assert (sample.status, sample.message) == (Status.DOWN, "there is no archive that matches")
    assert {path: path.stat().st_mtime_ns for path in made.repository.rglob("*")} == before


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"repository": "ssh://me:geheim@host/x"}, "a secret does not stand in the file"),
        ({"passphrase": "geheim"}, "a secret does not stand in the file"),
        ({"verify_data": True}, "set check: true"),
        ({"check": True, "archives": ["db1"]}, "take out archives"),
    ],
)
def test_options_that_mean_nothing_are_errors(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("borg", {"repository": "/backup", **wrong})
