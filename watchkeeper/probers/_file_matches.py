"""The files that a path or a glob stands for."""

import os
import re
import stat
from collections.abc import Iterator
from fnmatch import translate
from typing import Final

MAGIC: Final = re.compile(r"[*?\[]")
"""What makes a path a glob."""


def matches(pattern: str) -> Iterator[str]:
    """The paths that match. Unlike those of `glob.glob`, folders that cannot be read are errors.

    Raises:
        OSError: a folder cannot be read.
    """
    folder, name = os.path.split(pattern)
    folders = matches(folder) if MAGIC.search(folder) else (folder,)
    if not MAGIC.search(name):
        yield from (os.path.join(folder, name) for folder in folders)
        return
    fits, hidden = re.compile(translate(name)).match, name.startswith(".")
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                yield from (
                    entry.path for entry in entries if fits(entry.name) and (hidden or not entry.name.startswith("."))
                )
        except (FileNotFoundError, NotADirectoryError):
            continue


def newest_of(pattern: str, *, folders: bool = False) -> tuple[str, int] | None:
    """The path of the newest file that matches, and when it was written, in ms since the epoch.

    Args:
        folders: whether folders count, too.

    Raises:
        OSError: a folder or file is there but can not be looked at.
    """
    found: list[tuple[int, str]] = []
    for path in matches(pattern):
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISREG(status.st_mode) or (folders and stat.S_ISDIR(status.st_mode)):
            found.append((status.st_mtime_ns, path))
    if not found:
        return None
    written_ns, path = max(found)
    return path, written_ns // 1_000_000


def printable(name: str) -> str:
    """A file's name as text that can be stored: not every name on a disk is one."""
    return os.fsencode(name).decode("utf-8", "replace")
