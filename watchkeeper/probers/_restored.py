"""Whether what a drill restored is what it should be."""

import glob
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from watchkeeper.domain.units import format_size
from watchkeeper.probers import _checksums
from watchkeeper.probers._program import Work, not_well, on_one_line
from watchkeeper.probers._scratch import Drill
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SizeBytes


class RestoredFiles(Model):
    """What is expected of restored files. Paths are absolute, as they were when they were backed up."""

    min_files: int = Field(default=1, ge=0)
    """How many files there must be."""
    min_size: SizeBytes | None = None
    """How large they must be together."""
    present: tuple[str, ...] = ()
    """Files that must be there. Each is a path or a glob."""
    checksums: str | None = Field(default=None, pattern=r"^/")
    """A list of checksums among the restored files, as `sha256sum` or `md5sum` writes it. Each file of it must be
    there and have its checksum; names in it are relative to its folder."""


@dataclass(slots=True)
class Restored:
    """What was found of restored files."""

    files: int = 0
    size_bytes: int = 0
    checked: int = 0


def check(expected: RestoredFiles, drill: Drill, work: Work) -> Restored:
    """Looks at what was restored.

    Raises:
        Concluded: it is not as expected.
        Interrupted: the run is over.
    """
    work.doing = "counting the restored files"
    found = count(drill.files, work)
    if found.files < expected.min_files:
        files = "1 file was" if found.files == 1 else f"{found.files} files were"
        raise not_well(f"{files} restored, expected at least {expected.min_files}")
    if expected.min_size is not None and found.size_bytes < expected.min_size:
        least = format_size(expected.min_size)
        raise not_well(f"only {format_size(found.size_bytes)} were restored, expected at least {least}")
    for pattern in expected.present:
        if next(_matching(drill, pattern), None) is None:
            raise not_well(f"{pattern} is not among the restored files")
    if expected.checksums is not None:
        work.doing = "checking the checksums"
        found.checked = _check_list(expected.checksums, drill, work)
    return found


def count(folder: str, work: Work) -> Restored:
    """How many files there are, and their bytes. Links are not followed."""
    found, waiting = Restored(), [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                work.go_on()
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(entry.path)
                elif stat.S_ISREG(status.st_mode):
                    found.files += 1
                    found.size_bytes += status.st_size
    return found


def newest(drill: Drill, pattern: str) -> str | None:
    """The newest restored file or folder that matches."""
    return max(_matching(drill, pattern), key=lambda path: os.stat(path).st_mtime_ns, default=None)


def _matching(drill: Drill, pattern: str) -> Iterator[str]:
    """The real paths of what matches. One that leads out of the drill's folder is refused."""
    inside = glob.escape(drill.files) + "/" + posixpath.normpath("/" + pattern).lstrip("/")
    for path in glob.iglob(inside):
        yield drill.restored(os.path.relpath(path, drill.files))


def _check_list(name: str, drill: Drill, work: Work) -> int:
    try:
        entries = _checksums.read(drill.restored(name))
    except FileNotFoundError:
        raise not_well(f"the list of checksums {name} is not among the restored files") from None
    except ValueError as error:
        raise not_well(f"{name} is no list of checksums: {error}") from None
    if not entries:
        raise not_well(f"the list of checksums {name} is empty")
    for entry in entries:
        path = drill.restored(posixpath.join(posixpath.dirname(name), entry.name))
        shown = on_one_line(entry.name)
        if not os.path.isfile(path):
            raise not_well(f"{shown} is in {name}, and not among the restored files")
        if not _checksums.matches(path, entry, lambda _: work.go_on()):
            raise not_well(f"{shown} was restored, but its {entry.algorithm} differs from that in {name}")
    return len(entries)
