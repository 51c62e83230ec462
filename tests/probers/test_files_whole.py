"""The files prober: sizes against the usual, dates in names, checksums, archives, copies that are kept."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import subprocess
import tarfile
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.probers.asking import NOW_MS, a_probe, ask, ask_by, run
from tests.probers.test_files import HOUR, look, put
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find
from watchkeeper.probers._checksums import parse
from watchkeeper.probers._file_retention import Retention, missing

DATA = os.urandom(100_000)


def tar(data: bytes = DATA) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(data: bytes = DATA) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
        archive.writestr("b", data)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=data, capture_output=True, check=True).stdout


ARCHIVES = {
    "a.tar": tar(),
    "a.zip": zipped(),
    "a.gz": gzip.compress(DATA),
    "a.bz2": bz2.compress(DATA),
    "a.xz": lzma.compress(DATA),
    "a.zst": zstd(DATA),
    "a.tar.gz": gzip.compress(tar()),
    "a.tar.zst": zstd(tar()),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_can_be_read_to_its_end_is_up(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ARCHIVES[name])
    sample = look(tmp_path / "*", readable=True)
    assert sample.status is Status.UP, sample.message
    assert sample.message.endswith(", and it is whole")
    assert sample.values["archive_bytes"] >= len(DATA)
    assert sample.values.get("archive_files") == (2 if ("tar" in name or "zip" in name) else None)
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing was unpacked


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("how", ["cut off", "changed"])
def test_an_archive_that_is_cut_off_or_changed_is_down(tmp_path: Path, name: str, how: str) -> None:
    whole = ARCHIVES[name]
    half = len(whole) // 2
    if how == "changed" and name == "a.tar":
        pytest.xfail("a tar has checksums of its headers only: use a checksum file")
    damaged = whole[:half] if how == "cut off" else whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :]
    (tmp_path / name).write_bytes(damaged)
    sample = look(tmp_path / "*", readable=True)
    assert sample.status is Status.DOWN, sample.message
    assert sample.message.startswith(f"the newest file, {name}, can not be read to its end: ")


def test_what_is_no_archive_or_holds_no_file_is_down(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"<html>404</html>")
    assert "is no archive that is known" in look(tmp_path / "*", readable=True).message
    (tmp_path / "a.gz").write_bytes(b"")
    assert look(tmp_path / "*", readable=True).status is Status.DOWN
    with tarfile.open(tmp_path / "a.gz", "w:gz"):
        pass
    sample = look(tmp_path / "*", readable=True)
    assert (sample.status, sample.message) == (Status.DOWN, "the newest file, a.gz, is an archive without a file")


def test_a_bomb_is_read_no_further_than_it_may(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    sample = look(tmp_path / "*", readable=True, read_at_most="5MB")
    assert sample.status is Status.UP
    assert 5_000_000 < sample.values["archive_bytes"] < 8_000_000


def test_reading_ends_when_the_time_is_over_and_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstd(bytes(200_000_000)) * 100)
    sample = run(ask("files", {"path": str(tmp_path / "*"), "readable": True}, "300ms"))
    assert (sample.status, sample.message) == (Status.UNKNOWN, "reading the newest file took more than 300ms")
    assert sample.duration_s < 2


def test_a_file_that_was_found_whole_is_not_read_again_for_a_day(tmp_path: Path) -> None:
    path = put(tmp_path / "a.gz")
    path.write_bytes(gzip.compress(DATA))
    times = iter([0, 0, HOUR, HOUR, 25 * HOUR, 25 * HOUR])  # a run asks for the time twice
    prober = find("files").make(lambda: NOW_MS + 1000 * next(times))

    async def main() -> list[Sample]:
        probe = a_probe("files", {"path": str(path), "readable": True})
        samples = [await prober.run(probe)]
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return [*samples, await prober.run(probe), await ask_by(prober, probe)]

    assert [sample.status for sample in run(main())] == [Status.UP, Status.UP, Status.DOWN]


@pytest.mark.parametrize("kind", ["sha256", "md5", "sha1", "sha512"])
def test_a_checksum_beside_the_newest_file_must_be_right(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path / "a.dump", 5000)
    digest = hashlib.new(kind, path.read_bytes()).hexdigest()
    list_ = tmp_path / "a.dump.sum"
    list_.write_text(f"{digest} *some/where/a.dump\n")
    assert look(tmp_path / "*.dump", checksum="{name}.sum").status is Status.UP
    list_.write_text(f"{kind.upper()} (a.dump) = {digest.upper()}\n")
    assert look(tmp_path / "*.dump", checksum="{name}.sum").status is Status.UP
    path.write_bytes(b"y" + path.read_bytes()[1:])
    sample = look(tmp_path / "*.dump", checksum="a.dump.sum")
    assert sample.status is Status.DOWN
    assert (
        sample.message == f"the newest file, a.dump, is not what it was: its {kind} differs from that in a.dump.sum"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no checksum: there is no SUMS beside it"),
        ("", "has no checksum in SUMS"),
        ("0" * 64 + "  b.dump\n", "has no checksum in SUMS"),
        ("gibberish\n", "has a checksum that can not be read: in SUMS, line 1 is no checksum and name"),
        ("abcd  a.dump\n", "line 1 has a checksum of 4 digits, which is none that is known"),
    ],
)
def test_a_checksum_that_is_missing_or_none_is_down(tmp_path: Path, text: str | None, message: str) -> None:
    put(tmp_path / "a.dump")
    if text is not None:
        (tmp_path / "SUMS").write_text(text)
    sample = look(tmp_path / "*.dump", checksum="SUMS")
    assert sample.status is Status.DOWN
    assert message in sample.message


@given(name=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=20))
def test_every_name_that_sha256sum_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    if name in (".", ".."):
        return
    folder = tmp_path_factory.mktemp("sums")
    path = put(folder / name)
    listed = subprocess.run(["sha256sum", "--", name], cwd=folder, capture_output=True, check=True).stdout
    [entry] = parse(listed.decode("utf-8", "surrogateescape"))
    assert entry.name == name
    assert entry.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_dump_of_half_the_usual_size_is_down(tmp_path: Path) -> None:
    for number, size in enumerate((1000, 5, 1000, 1100, 1200)):
        put(tmp_path / f"{number}.dump", size, age_s=(10 - number) * HOUR)
    put(tmp_path / "now.dump", 490, age_s=0)
    sample = look(tmp_path / "*.dump", min_of_median="50%")
    assert sample.status is Status.DOWN
    assert sample.message == "the newest file, now.dump, has only 490B, 49% of the usual 1000B"
    assert sample.values["median_size_bytes"] == 1000
    assert sample.values["of_median_percentage"] == 49
    assert look(tmp_path / "*.dump", min_of_median="49%").status is Status.UP
    assert look(tmp_path / "*.dump", min_of_median="50%", median_of=3).values["median_size_bytes"] == 1100


def test_what_is_usual_is_not_known_of_two_files(tmp_path: Path) -> None:
    for number, size in enumerate((1000, 1000, 5)):
        put(tmp_path / f"{number}.dump", size, age_s=(10 - number) * HOUR)
    sample = look(tmp_path / "*.dump", min_of_median="50%")
    assert sample.status is Status.UP
    assert "median_size_bytes" not in sample.values


def test_a_time_in_the_name_counts_and_not_when_it_was_written(tmp_path: Path) -> None:
    put(tmp_path / "shop-2023-11-14-2100.dump", age_s=100 * HOUR)
    put(tmp_path / "shop-2023-11-13-2100.dump", age_s=0)  # copied just now
    put(tmp_path / "shop-latest.dump", age_s=0)
    sample = look(tmp_path / "*.dump", name_time="shop-%Y-%m-%d-%H%M.dump", name_zone="Europe/Berlin")
    assert sample.values["count"] == 2
    assert sample.facts["newest"] == "shop-2023-11-14-2100.dump"
    assert sample.facts["last_backup"] == datetime(2023, 11, 14, 20, tzinfo=UTC)


def test_days_weeks_and_months_without_a_copy_are_down_and_named(tmp_path: Path) -> None:
    today = datetime.fromtimestamp(NOW_MS / 1000, UTC).date()
    for days in (0, 1, 3, 40):
        put(tmp_path / f"{today - timedelta(days=days)}.dump", age_s=days * 24 * HOUR)
    sample = look(tmp_path / "*.dump", retention={"daily": 3, "weekly": 2, "monthly": 2})
    assert sample.status is Status.DOWN
    assert sample.message == "copies are missing: of 2023-11-12, 2023-W44, 2023-09"
    assert sample.values["missing_copies"] == 3
    assert look(tmp_path / "*.dump", retention={"daily": 1, "weekly": 1, "monthly": 1}).status is Status.UP


@given(
    today=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    daily=st.integers(0, 30),
    weekly=st.integers(0, 20),
    monthly=st.integers(0, 20),
)
def test_who_has_a_copy_of_every_day_misses_none_and_who_has_none_misses_all(
    today: date, daily: int, weekly: int, monthly: int
) -> None:
    now_ms = int(datetime(today.year, today.month, today.day, 12, tzinfo=UTC).timestamp() * 1000)
    wanted = Retention(daily=daily, weekly=weekly, monthly=monthly)
    every_day = [now_ms - days * 86_400_000 for days in range(700)]
    assert missing(wanted, every_day, now_ms, UTC) == []
    gaps = missing(wanted, [now_ms], now_ms, UTC)
    assert len(set(gaps)) == len(gaps)
    assert len(gaps) == daily + weekly + monthly


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name_time": "shop-%H%M.dump"}, "has no year, month and day"),
        ({"name_time": "%Y %Q"}, "is no form of a time"),
        ({"checksum": "../SUMS"}, "lies in the same folder"),
        ({"checksum": "{name}"}, "is another file"),
        ({"median_of": 2}, "greater than or equal to 3"),
        ({"retention": {"daily": -1}}, "greater than or equal to 0"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("files", {"path": "/backup/*.dump", **options})
