"""The pgbackrest prober, at a real stanza, and at what the real program said."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.peers import postgres
from tests.probers.asking import NOW_MS, a_probe, ask, ask_by, run
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

HOUR = 3600


def backup(kind: str, age_s: int, stop: str = "000000010000000000000004", **more: Any) -> dict[str, Any]:
    """A backup as pgBackRest 2.45 tells it, that ended so long before the tests' now."""
    at = NOW_MS // 1000 - age_s
    return {
        "archive": {"start": "000000010000000000000003", "stop": stop},
        "error": False,
        "info": {"size": 23208991},
        "label": f"20231114-{kind}",
        "timestamp": {"start": at - 5, "stop": at},
        "type": kind,
        **more,
    }


def said(*backups: dict[str, Any], code: int = 0, message: str = "ok", wal: str | None = None) -> str:
    newest = wal or "000000010000000000000004"
    stanza = {
        "archive": [{"database": {"id": 1}, "id": "15-1", "max": newest, "min": "000000010000000000000001"}],
        "backup": list(backups),
        "cipher": "none",
        "name": "shop",
        "status": {"code": code, "lock": {"backup": {"held": False}}, "message": message},
    }
    return json.dumps([stanza])


def program_that_says(folder: Path, text: str, code: int = 0) -> str:
    program = folder / "pgbackrest"
    (folder / "answer").write_text(text)
    program.write_text(f"#!/bin/sh\ncat {folder}/answer\necho 'ERROR: [041]: unable' >&2\nexit {code}\n")
    program.chmod(0o700)
    return str(program)


def look(folder: Path, text: str, code: int = 0, **options: Any) -> Sample:
    return run(ask("pgbackrest", {"stanza": "shop", "program": program_that_says(folder, text, code), **options}))


def test_a_stanza_that_is_well_is_up_and_tells_each_age(tmp_path: Path) -> None:
    answer = said(backup("full", 50 * HOUR), backup("diff", 26 * HOUR), backup("incr", 2 * HOUR))
    sample = look(tmp_path, answer, full_within="8d", newest_within="26h", wal_within="1h")
    assert sample.status is Status.UP
    assert sample.message == "stanza shop is ok: 3 backups, the newest is 20231114-incr with 22.1MiB, 2h old"
    assert sample.values == {
        "count": 3,
        "full_age_seconds": 50 * HOUR,
        "diff_age_seconds": 26 * HOUR,
        "incr_age_seconds": 2 * HOUR,
        "newest_age_seconds": 2 * HOUR,
        "newest_size_bytes": 23208991,
        "wal_still_seconds": 0,
        "wal_gap_segments": 0,
    }


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (said(code=2, message="no valid backups"), {}, "stanza shop: no valid backups"),
        (said(code=1, message="missing stanza path"), {}, "stanza shop: missing stanza path"),
        ("[]", {}, "there is no stanza shop"),
        (said(backup("full", 9)), {"newest_within": "5s"}, "the newest backup is 9s old, expected within 5s"),
        (
            said(backup("full", 99), backup("incr", 9)),
            {"full_within": "60s"},
            "the newest full backup is 1m39s old, expected within 1m",
        ),
        (said(backup("full", -HOUR)), {"newest_within": "1d"}, "dated in the future: some clock is wrong"),
        (said(backup("full", 9, error=True)), {}, "has pages whose checksums are wrong"),
        (
            said(backup("full", 9, stop="000000010000000100000002"), wal="0000000100000000000000FE"),
            {},
            "WAL is missing: 4 segments that the newest backup needs are not archived",
        ),
    ],
)
def test_a_stanza_that_is_not_well_is_down(
    tmp_path: Path, answer: str, options: dict[str, Any], message: str
) -> None:
    sample = look(tmp_path, answer, **options)
    assert sample.status is Status.DOWN
    assert message in sample.message


def test_wal_that_is_archived_no_more_is_down_after_its_time(tmp_path: Path) -> None:
    program = program_that_says(tmp_path, said(backup("full", 60)))
    probe = a_probe("pgbackrest", {"stanza": "shop", "program": program, "wal_within": "1h"})
    minutes = iter([0, 0, 59, 59, 61, 61])  # a run asks for the time twice
    prober = find("pgbackrest").make(lambda: NOW_MS + next(minutes) * 60_000)

    async def main() -> list[Sample]:
        return [await prober.run(probe), await prober.run(probe), await ask_by(prober, probe)]

    samples = run(main())
    assert [sample.status for sample in samples] == [Status.UP, Status.UP, Status.DOWN]
    assert samples[2].message == "no WAL was archived for 1h1m, expected within 1h"


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    sample = look(tmp_path, "", 41)
    assert (sample.status, sample.message) == (
        Status.DOWN,
        "the repository can not be read: ERROR: [041]: unable",
    )
    assert look(tmp_path, "gibberish").status is Status.UNKNOWN
    sample = run(ask("pgbackrest", {"stanza": "shop", "program": "pgbackrest-of-nobody"}))
    assert (sample.status, sample.message) == (
        Status.UNKNOWN,
        "the program pgbackrest-of-nobody is not there: install it",
    )


@pytest.mark.xdist_group("postgres")
def test_the_real_program_tells_what_is_read_here(tmp_path: Path) -> None:
    if shutil.which("pgbackrest") is None:
        pytest.skip("pgbackrest is not installed (tests/install-peers.sh installs it)")
    owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with postgres.own_cluster() as cluster:
        [folder] = {Path(cluster.url("postgres").partition("host=")[2])}
        repository, config = folder / "repository", folder / "pgbackrest.conf"
        repository.mkdir()
        shutil.chown(repository, owner)
        config.write_text(
            f"[global]\nrepo1-path={repository}\nlog-level-file=off\nlock-path={folder}\nstart-fast=y\n"
            f"compress-type=none\nrepo1-retention-full=2\n"
            f"[shop]\npg1-path={folder}/data\npg1-socket-path={folder}\npg1-user={postgres.USER}\n"
        )
        cluster.run_sql("ALTER SYSTEM SET archive_mode = on")
        push = f"pgbackrest --config={config} --stanza=shop archive-push %p"
        cluster.run_sql(f"ALTER SYSTEM SET archive_command = '{push}'")
        (folder / "data" / "pg_hba.conf").write_text("local all all trust\n")
        cluster.crash()
        cluster.go_on()

        def by_owner(*arguments: str) -> None:
            command = ["pgbackrest", f"--config={config}", "--stanza=shop", *arguments]
            subprocess.run(command, check=True, capture_output=True, user=owner, cwd="/")

        options = {"stanza": "shop", "config": str(config)}
        sample = run(ask("pgbackrest", options))
        assert (sample.status, sample.message) == (Status.DOWN, "stanza shop: missing stanza path")
        by_owner("stanza-create")
        sample = run(ask("pgbackrest", options))
        assert (sample.status, sample.message) == (Status.DOWN, "stanza shop: no valid backups")
        by_owner("--type=full", "backup")
        sample = run(ask("pgbackrest", options))
    assert sample.status is Status.UP, sample.message
    assert sample.values["count"] == 1
    assert sample.values["wal_gap_segments"] == 0
    assert sample.values["newest_size_bytes"] > 1_000_000
