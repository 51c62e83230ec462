"""Restore drills of real restic repositories, and what holds for all drills."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.peers import restic
from tests.peers.restic import HOUR, PASSWORD
from tests.probers.asking import a_probe, now, run
from tests.probers.drills import RUN_AS, drill, is_alive, place, processes_in, until
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

pytestmark = pytest.mark.xdist_group("restic")


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SHOP_RESTIC", PASSWORD)
    with place() as folder:
        yield folder


@pytest.fixture(scope="module")
def vault() -> restic.Repository:
    made = restic.empty()
    for name in ("a", "b"):
        (made.source / name).write_bytes(os.urandom(5000))
    lines = [f"{hashlib.sha256((made.source / name).read_bytes()).hexdigest()}  {name}\n" for name in ("a", "b")]
    (made.source / "SHA256SUMS").write_text("".join(lines))
    (made.source / "way-out").symlink_to("/etc")
    closed = made.source / "closed"
    closed.mkdir()
    (closed / "deep").write_text("deep")
    closed.chmod(0o500)
    made.back_up(2 * HOUR)
    return made


def of(repository: restic.Repository, **more: Any) -> dict[str, Any]:
    cache = str(repository.folder / "cache")
    return {"repository": str(repository.repository), "password": {"env": "SHOP_RESTIC"}, "cache": cache, **more}


def test_the_newest_snapshot_is_restored_checked_and_its_time_is_measured(
    scratch: Path, vault: restic.Repository
) -> None:
    source = str(vault.source)
    before = {path: path.lstat().st_mtime_ns for path in vault.folder.rglob("*") if "cache" not in path.parts}
    sample = drill(
        scratch,
        restic=of(vault, host="db1", tags=["nightly"], path=source),
        files={"checksums": f"{source}/SHA256SUMS", "present": [f"{source}/closed/*"], "min_files": 4},
        max_time="15m",
        max_age="26h",
    )
    assert sample.status is Status.UP, sample.message
    assert "4 files with 9.9KiB, 2 checksums as listed; its data is 2h old" in sample.message
    assert sample.values["restored_files"] == 4
    assert sample.values["newest_age_seconds"] == sample.values["data_age_seconds"] == 2 * HOUR
    assert 0 < sample.values["recovery_seconds"] < 60
    assert sample.values["objective_used_percentage"] == pytest.approx(
        sample.values["recovery_seconds"] / 9, rel=0.001
    )
    after = {path: path.lstat().st_mtime_ns for path in vault.folder.rglob("*") if "cache" not in path.parts}
    assert after == before


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"max_time": "1ms"}, "to restore, expected within 1ms"),
        ({"max_age": "1h"}, "but its data is 2h old, expected within 1h"),
        ({"files": {"min_files": 5}}, "was not restored: 4 files were restored, expected at least 5"),
        ({"files": {"min_size": "1GiB"}}, "only 9.9KiB were restored, expected at least 1.0GiB"),
        ({"files": {"present": ["/no/such/*"]}}, "/no/such/* is not among the restored files"),
        ({"files": {"checksums": "/no/list"}}, "the list of checksums /no/list is not among the restored files"),
        ({"files": {"present": ["SOURCE/way-out/passwd"]}}, "leads out of what was restored, which is refused"),
        ({"files": {"checksums": "/../../../etc/passwd"}}, "leads out of what was restored, which is refused"),
    ],
)
def test_what_is_not_as_expected_is_down(
    scratch: Path, vault: restic.Repository, expected: dict[str, Any], message: str
) -> None:
    if "present" in expected.get("files", {}):
        given = [path.replace("SOURCE", str(vault.source)) for path in expected["files"]["present"]]
        expected = {"files": {"present": given}}
    sample = drill(scratch, restic=of(vault), **expected)
    assert sample.status is Status.DOWN
    assert message in sample.message
    assert sample.values["newest_age_seconds"] == 2 * HOUR


def test_nothing_to_restore_is_down(scratch: Path, vault: restic.Repository) -> None:
    sample = drill(scratch, restic=of(vault, host="db9"))
    assert (sample.status, sample.message) == (Status.DOWN, "there is no snapshot that matches")


def test_a_drill_that_takes_too_long_is_down_and_clears_up(scratch: Path, vault: restic.Repository) -> None:
    slow = vault.folder / "slow"
    slow.write_text('#!/bin/sh\n[ "$2" = restore ] && { echo x > half; sleep 60; }\nexec restic "$@"\n')
    slow.chmod(0o700)
    sample = drill(scratch, "4s", restic=of(vault, program=str(slow)))
    assert sample.status is Status.DOWN
    assert sample.message.startswith("the drill did not end within 4s: restoring snapshot")
    assert sample.duration_s < 5


def test_less_space_than_is_to_be_kept_free_ends_it_as_unknown(scratch: Path, vault: restic.Repository) -> None:
    sample = drill(scratch, restic=of(vault), keep_free="1000TB")
    assert sample.status is Status.UNKNOWN
    assert sample.message.startswith("the drill was ended: ")


def test_a_scratch_place_within_the_repository_is_refused_by_whatever_name(
    scratch: Path, vault: restic.Repository
) -> None:
    inside = vault.repository / "inside"
    with pytest.raises(ValidationError, match="lie in one another"):
        drill(inside, restic=of(vault))
    alias = scratch.parent / f"{scratch.name}-alias"
    alias.symlink_to(vault.repository)
    try:
        sample = drill(alias, restic=of(vault))
    finally:
        alias.unlink()
    assert sample.status is Status.UNKNOWN
    assert "lie in one another" in sample.message


def test_a_drill_that_was_killed_is_cleared_up_by_the_next(scratch: Path, vault: restic.Repository) -> None:
    slow = vault.folder / "slower"
    slow.write_text('#!/bin/sh\n[ "$2" = restore ] && { echo x > half; sleep 600; }\nexec restic "$@"\n')
    slow.chmod(0o700)
    options = {"scratch": str(scratch), "keep_free": "1MiB", "restic": of(vault, program=str(slow))}
    program = f"from tests.probers.asking import ask, run\nrun(ask('restore', {options!r}, '5m'))\n"
    daemon = subprocess.Popen([sys.executable, "-c", program])
    try:
        half = until(lambda: next(iter(scratch.glob("drill-*/half")), None))
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    sleeping = processes_in(half.parent)
    assert sleeping
    (scratch / "not-a-drill").mkdir()
    sample = drill(scratch, restic=of(vault))
    assert sample.status is Status.UP, sample.message
    assert not half.exists()
    until(lambda: not [pid for pid in sleeping if is_alive(pid)])
    (scratch / "not-a-drill").rmdir()  # it was left alone


def test_two_drills_in_one_place_leave_one_another_alone(scratch: Path, vault: restic.Repository) -> None:
    async def main() -> list[Sample]:
        prober = find("restore").make(now)
        options = {"scratch": str(scratch), "keep_free": "1MiB", "restic": of(vault)}
        probes = [a_probe("restore", options, "1m", id_=name) for name in ("one", "two")]
        samples = await asyncio.gather(*map(prober.run, probes))
        await prober.close()
        return samples

    assert [sample.status for sample in run(main())] == [Status.UP, Status.UP]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({}, "needs something to restore"),
        ({"dump": "/backup/x", "scratch": "/"}, "is no place for drills"),
        ({"dump": "/backup/x", "scratch": "/var"}, "is no place for drills"),
        ({"dump": "/backup/x", "scratch": "/srv/" + "x" * 70}, "too long for the path of a socket"),
        ({"dump": "/backup/x", "scratch": "/backup/drills"}, "lie in one another"),
        ({"dump": "/backup/drills/*.dump", "scratch": "/backup/drills"}, "lie in one another"),
        ({"restic": {"repository": "/b", "password": {"env": "P"}}, "queries": ["select true"]}, "say which by dump"),
        ({"dump": "/backup/x", "queries": ["\\! id"]}, "no command of psql"),
        ({"restic": {"repository": "/b", "password": {"env": "P"}}, "borg": {"repository": "/b"}}, "take out one"),
    ],
)
def test_options_that_mean_nothing_are_errors(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("restore", {"scratch": "/srv/drills", **wrong})


@pytest.mark.parametrize("what", ["missing", "a file", "open to others"])
def test_a_scratch_place_that_may_not_be_used_is_unknown(tmp_path: Path, what: str) -> None:
    place = Path("/tmp") / f"wk-place-{os.getpid()}-{time.monotonic_ns()}"
    try:
        if what == "a file":
            place.touch()
        elif what == "open to others":
            place.mkdir()
            place.chmod(0o777)
        sample = drill(place, dump=str(tmp_path / "x" / "*.dump"), postgres=RUN_AS)
        assert sample.status is Status.UNKNOWN
        assert str(place) in sample.message
    finally:
        subprocess.run(["rm", "-rf", place], check=False)
