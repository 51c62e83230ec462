"""What a look at files is told."""

from datetime import UTC, datetime
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from watchkeeper.domain.units import parse_size_bytes
from watchkeeper.probers._file_retention import Retention
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, PositiveDurationMs, RatioPpm, SizeBytes, TimeZone


class FilesOptions(Model):
    """A look at a file, or at all files that match a glob."""

    path: LocalPath
    """A file, or a glob such as `/backup/*.dump`. A `*` stands for anything within one name, but for a dot at its
    beginning. Folders and everything else that is no file do not count."""
    newest_within: PositiveDurationMs | None = None
    """How long ago the newest file may have been written. One that is dated more than five minutes ahead is not
    recent: some clock is wrong."""
    min_size: SizeBytes | None = None
    """How large the newest file must be."""
    min_count: int = Field(default=1, ge=1)
    """How many files there must be."""
    min_of_median: RatioPpm | None = None
    """How large the newest file must be at least, in percent of the median of those before it: with `50%`, one of
    less than half the usual size is down. It says nothing before there are three."""
    median_of: int = Field(default=7, ge=3, le=1000)
    """Of how many files before the newest the median is taken."""
    name_time: str | None = None
    """How the files' names hold their time, such as `orders-%Y%m%d-%H%M.dump`. That counts in place of when they were
    written, and files with other names do not count. The letters are those of Python's `strptime`."""
    name_zone: TimeZone = "UTC"
    """The time zone of times in names, and of the days, weeks and months of `retention`."""
    checksum: str | None = Field(default=None, min_length=1)
    """The file with the newest file's checksum, as `sha256sum`, `md5sum` and their kin write it, beside it:
    `{name}.sha256` or `SHA256SUMS`. `{name}` stands for its name. It must be there, and be right."""
    readable: bool = False
    """Whether the newest file must be an archive that can be read to its end: tar, zip, gzip, bzip2, xz or zstd (by
    the program `zstd`). It is unpacked, but not to the disk. What is found whole is read again after a day."""
    read_at_most: SizeBytes = parse_size_bytes("100GiB")
    """How much of an archive is unpacked. What comes after is taken to be good."""
    retention: Retention = Retention()
    """Which copies must be there."""

    @field_validator("path")
    @classmethod
    def _is_one_level_each(cls, path: str) -> str:
        if "**" in path.split("/"):
            raise ValueError("** is not accepted: write one * for each level of folders")
        return path

    @field_validator("name_time")
    @classmethod
    def _has_a_date(cls, form: str | None) -> str | None:
        if form is not None:
            sought = datetime(2001, 12, 28, tzinfo=UTC)
            try:
                found = datetime.strptime(sought.strftime(form), form)  # noqa: DTZ007 - only its date is looked at
            except ValueError as error:
                raise ValueError(f"{form!r} is no form of a time: {error}") from None
            if found.date() != sought.date():
                raise ValueError(f"{form!r} has no year, month and day: accepted is such as backup-%Y-%m-%d.dump")
        return form

    @field_validator("checksum")
    @classmethod
    def _lies_beside_it(cls, checksum: str | None) -> str | None:
        if checksum is not None and "/" in checksum:
            raise ValueError("lies in the same folder: accepted is a name, such as {name}.sha256")
        return checksum

    @model_validator(mode="after")
    def _checksum_is_another_file(self) -> Self:
        if self.checksum == "{name}":
            raise ValueError("checksum is another file than the one that is looked at, such as {name}.sha256")
        return self

    def time_in(self, name: str) -> int | None:
        """The time in a file's name, in ms since the epoch; nothing where there is none."""
        if self.name_time is None:
            return None
        try:
            found = datetime.strptime(name, self.name_time)  # noqa: DTZ007 - its zone is added here
            return int((found if found.tzinfo else found.replace(tzinfo=ZoneInfo(self.name_zone))).timestamp() * 1000)
        except (ValueError, OverflowError):
            return None
