"""Restore drills of real PostgreSQL dumps, into real servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.dumps import made
from tests.peers.restic import HOUR
from tests.probers.asking import ask, run
from tests.probers.drills import RUN_AS, drill, is_alive, place, processes_in, until
from watchkeeper.domain.probe import Status

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def scratch() -> Iterator[Path]:
    with place() as folder:
        yield folder


@pytest.fixture
def dumps() -> Path:
    return made()


def test_a_dump_is_loaded_into_a_server_of_its_own_and_asked(scratch: Path, dumps: Path) -> None:
    sample = drill(
        scratch,
        dump=str(dumps / "shop-*.dump"),
        postgres=RUN_AS,
        queries=["select count(*) = 1000 from orders", "select bool_and(amount > 0) from orders"],
        data_time="select max(ordered_at) from orders",
        max_time="15m",
    )
    assert sample.status is Status.UP, sample.message
    assert sample.message.startswith("shop-2.dump was restored in ")
    assert "all queries gave true; its data is 3h old" in sample.message
    assert sample.values["data_age_seconds"] == 3 * HOUR
    assert sample.values["newest_age_seconds"] == HOUR
    assert sample.values["database_bytes"] > 1_000_000
    assert 0 < sample.values["restore_seconds"] < sample.values["recovery_seconds"] < 60


@pytest.mark.parametrize("name", ["shop.sql", "shop.sql.gz", "shop.sql.zst", "shop.tar", "shop.dir", "all.sql"])
def test_every_format_is_loaded(scratch: Path, dumps: Path, name: str) -> None:
    server = {**RUN_AS, "database": "shop"} if name == "all.sql" else RUN_AS
    sample = drill(scratch, dump=str(dumps / name), postgres=server, queries=["select count(*) = 1000 from orders"])
    assert sample.status is Status.UP, sample.message


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"queries": ["select count(*) > 5000 from orders"]}, "gave f, expected is true"),
        ({"queries": ["select 1 from customers"]}, 'relation "customers" does not exist'),
        ({"queries": ["delete from orders returning true"]}, "cannot execute DELETE in a read-only transaction"),
        ({"data_time": "select max(ordered_at) from orders where amount < 0"}, "gave no time: there is no data"),
        (
            {"data_time": "select max(ordered_at) from orders", "max_age": "2h"},
            "but its data is 3h old, expected within 2h",
        ),
    ],
)
def test_a_dump_whose_data_is_not_as_expected_is_down(
    scratch: Path, dumps: Path, expected: dict[str, Any], message: str
) -> None:
    sample = drill(scratch, dump=str(dumps / "shop-2.dump"), postgres=RUN_AS, **expected)
    assert sample.status is Status.DOWN
    assert message in sample.message


@pytest.mark.parametrize(
    ("name", "keep", "message"),
    [
        ("shop-2.dump", 0.5, "the dump can not be loaded: "),
        ("shop.sql.gz", 0.5, "the dump can not be unpacked: gzip calls it damaged"),
        ("shop.sql", 0.1, "the dump can not be loaded: "),
    ],
)
def test_a_dump_that_is_cut_off_is_down(
    scratch: Path, dumps: Path, tmp_path: Path, name: str, keep: float, message: str
) -> None:
    whole = (dumps / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * keep)])
    sample = drill(
        scratch, dump=str(tmp_path / name), postgres=RUN_AS, queries=["select count(*) = 1000 from orders"]
    )
    assert sample.status is Status.DOWN
    assert message in sample.message


def test_a_dump_that_is_not_there_is_down(scratch: Path, tmp_path: Path) -> None:
    sample = drill(scratch, dump=str(tmp_path / "*.dump"), postgres=RUN_AS)
    assert (sample.status, sample.message) == (Status.DOWN, f"there is no dump {tmp_path}/*.dump")


def test_a_server_that_a_killed_drill_left_is_ended_by_the_next(scratch: Path, dumps: Path) -> None:
    options: dict[str, Any] = {
        "scratch": str(scratch),
        "keep_free": "1MiB",
        "dump": str(dumps / "shop-2.dump"),
        "postgres": RUN_AS,
    }
    slow = {**options, "queries": ["select pg_sleep(600) is not null"]}
    program = f"from tests.probers.asking import ask, run\nrun(ask('restore', {slow!r}, '5m'))\n"
    daemon = subprocess.Popen([sys.executable, "-c", program])
    try:
        data = until(lambda: next(iter(scratch.glob("drill-*/s/data/postmaster.pid")), None)).parent
        until(lambda: len(processes_in(data)) > 3)
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    left = processes_in(data)
    assert left
    assert run(ask("restore", options, "1m")).status is Status.UP
    until(lambda: not [pid for pid in left if is_alive(pid)])
    assert not data.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_must_say_whom_the_server_runs_as(scratch: Path, tmp_path: Path) -> None:
    for server, message in (
        ({}, "PostgreSQL refuses to run as root: set run_as: postgres, or run watchkeeper as another user"),
        ({"run_as": "root"}, "PostgreSQL refuses to run as root: name another user in run_as"),
        ({"run_as": "nobody-here"}, "there is no user nobody-here, which run_as names"),
    ):
        sample = drill(scratch, dump=str(tmp_path / "*.dump"), postgres=server)
        assert (sample.status, sample.message) == (Status.UNKNOWN, message)
