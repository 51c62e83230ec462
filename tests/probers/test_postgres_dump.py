"""The postgres_dump prober, at real dumps."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.peers.dumps import made
from tests.peers.restic import HOUR
from tests.probers.asking import NOW_MS, a_probe, ask, ask_by, run
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

pytestmark = pytest.mark.xdist_group("postgres")

EVERY_FORMAT = {
    "shop-2.dump": "custom",
    "shop.tar": "tar",
    "shop.dir": "directory",
    "shop.sql": "sql",
    "shop.sql.gz": "sql.gz",
    "shop.sql.zst": "sql.zst",
    "all.sql": "sql",
}


@pytest.fixture
def dumps() -> Path:
    return made()


def look(path: Path | str, **options: Any) -> Sample:
    return run(ask("postgres_dump", {"path": str(path), **options}, "30s"))


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_dump_of_any_format_is_listed_and_complete(dumps: Path, name: str) -> None:
    sample = look(dumps / name, tables=["orders", "public.orders", "sales.*"], min_tables=2)
    assert sample.status is Status.UP, sample.message
    assert sample.message.startswith(f"{name} is complete: 2 tables with data, ")
    assert (sample.values["tables"], sample.values["tables_with_data"]) == (2, 2)
    assert sample.facts["format"] == EVERY_FORMAT[name]
    assert str(sample.facts["version"])[:2].isdigit()


def test_of_several_the_newest_counts(dumps: Path) -> None:
    sample = look(dumps / "shop-*.dump", newest_within="2h", min_size="1kB")
    assert sample.facts["newest"] == "shop-2.dump"
    assert sample.facts["database"] == "shop"
    assert sample.values["newest_age_seconds"] == HOUR
    assert sample.message.endswith(" 1h old")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": ["orders", "customers", "sales.nothing"]}, "has no data of customers, sales.nothing"),
        ({"min_tables": 3}, "has data of 2 tables, expected at least 3"),
        ({"newest_within": "30m"}, "is 1h old, expected within 30m"),
        ({"min_size": "1GiB"}, "expected at least 1.0GiB"),
    ],
)
def test_a_dump_that_is_not_as_expected_is_down(dumps: Path, options: dict[str, Any], message: str) -> None:
    sample = look(dumps / "shop-*.dump", **options)
    assert sample.status is Status.DOWN
    assert sample.message.startswith("the newest dump, shop-2.dump, ")
    assert message in sample.message


def test_a_dump_of_the_schema_alone_has_no_data(dumps: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.dump"
    listed = subprocess.run(["pg_restore", "-s", "-f", "-", dumps / "shop-2.dump"], capture_output=True, check=True)
    schema.write_bytes(listed.stdout)
    sample = look(schema)
    assert sample.status is Status.DOWN
    assert sample.message.endswith("has data of 0 tables, expected at least 1")


@pytest.mark.parametrize("name", ["shop-2.dump", "shop.tar", "shop.sql", "shop.sql.gz", "shop.sql.zst", "all.sql"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.5])
def test_a_dump_that_is_cut_off_is_down(dumps: Path, tmp_path: Path, name: str, keep: float) -> None:
    whole = (dumps / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * keep)])
    sample = look(tmp_path / name)
    assert sample.status is Status.DOWN, sample.message
    assert sample.message.startswith(f"the newest dump, {name}, ")


def test_a_table_of_contents_alone_does_not_tell_that_an_archive_is_cut_off(dumps: Path, tmp_path: Path) -> None:
    whole = (dumps / "shop-2.dump").read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[:-200])
    assert look(tmp_path / "cut.dump", read_data=False).status is Status.UP
    sample = look(tmp_path / "cut.dump")
    assert sample.status is Status.DOWN
    assert "can not be read to its end: " in sample.message


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 0.999))
def test_sql_that_is_cut_off_anywhere_is_never_up(
    dumps: Path, tmp_path_factory: pytest.TempPathFactory, cut: float
) -> None:
    whole = (dumps / "shop.sql").read_bytes()
    end = whole.index(b"-- PostgreSQL database dump complete")
    path = tmp_path_factory.mktemp("cut") / "cut.sql"
    path.write_bytes(whole[: int(end * cut)])
    assert look(path).status is Status.DOWN


def test_a_line_of_data_that_looks_like_a_statement_is_none(tmp_path: Path) -> None:
    text = (
        "-- Dumped from database version 15.1\n\nCREATE TABLE public.a (\n);\n"
        "COPY public.a (t) FROM stdin;\nCREATE TABLE public.b (\nCOPY public.c (t) FROM stdin;\n\\.\n"
        'COPY "Sales"."odd ""name""" (t) FROM stdin;\n\\.\n'
        "-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n"
    )
    (tmp_path / "a.sql").write_text(text)
    sample = look(tmp_path / "a.sql", tables=['Sales.odd "name"', "a"])
    assert (sample.status, sample.values["tables_with_data"]) == (Status.UP, 2)
    assert look(tmp_path / "a.sql", tables=["b"]).status is Status.DOWN


def test_what_is_no_dump_is_down(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("<html>404</html>\n")
    sample = look(tmp_path / "a.sql")
    assert (sample.status, sample.message) == (Status.DOWN, "the newest dump, a.sql, is no dump of PostgreSQL")
    (tmp_path / "a.sql").write_bytes(b"")
    assert look(tmp_path / "a.sql").status is Status.DOWN
    (tmp_path / "a.sql").unlink()
    sample = look(tmp_path / "*.sql")
    assert (sample.status, sample.message) == (Status.DOWN, f"there is no dump {tmp_path}/*.sql")


def test_what_watchkeeper_lacks_is_unknown(dumps: Path) -> None:
    sample = look(dumps / "shop-2.dump", programs="/nowhere")
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the program /nowhere/pg_restore is not there: install it"


def test_a_dump_that_takes_too_long_to_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "pg_restore").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "pg_restore").chmod(0o700)
    (tmp_path / "a.dump").write_bytes(b"PGDMP")
    options = {"path": str(tmp_path / "a.dump"), "programs": str(tmp_path)}
    sample = run(ask("postgres_dump", options, "300ms"))
    assert (sample.status, sample.message) == (Status.UNKNOWN, "listing the newest dump took more than 300ms")


def test_a_dump_that_was_found_complete_is_not_read_again(dumps: Path, tmp_path: Path) -> None:
    program = tmp_path / "pg_restore"
    program.write_text(f'#!/bin/sh\necho x >> {tmp_path}/seen\nexec /usr/bin/pg_restore "$@"\n')
    program.chmod(0o700)
    probe = a_probe("postgres_dump", {"path": str(dumps / "shop-2.dump"), "programs": str(tmp_path)}, "30s")
    prober = find("postgres_dump").make(lambda: NOW_MS)

    async def main() -> list[Sample]:
        return [await prober.run(probe), await prober.run(probe), await ask_by(prober, probe)]

    assert [sample.status for sample in run(main())] == [Status.UP] * 3
    assert (tmp_path / "seen").read_text().count("x") == 2  # one list, one read


@pytest.mark.parametrize(
    ("options", "text"), [({"path": ""}, "must be a path"), ({"min_tables": -1}, "greater than or equal to 0")]
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("postgres_dump", {"path": "/backup/*.dump", **options})
