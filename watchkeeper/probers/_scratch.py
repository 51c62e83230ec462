"""The scratch place of restore drills. All that a drill makes is in a folder of its own there, and goes with it."""

import fcntl
import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.units import format_size
from watchkeeper.probers._program import Work, cannot_tell, not_well

MOST_PATH: Final = 70  # bytes: the path of a server's socket below it must have less than 108
_NAME: Final = re.compile(r"drill-[a-z0-9_]{8}")
_MARK: Final = ".drill"  # locked for as long as the drill's process lives
_RETRY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill's folder. `files` takes what is restored, `server` is for a database server."""

    path: str

    @property
    def files(self) -> str:
        return os.path.join(self.path, "files")

    @property
    def server(self) -> str:
        return os.path.join(self.path, "s")

    def restored(self, original: str) -> str:
        """Where a file or folder is that was backed up from an absolute path.

        Raises:
            Concluded: it leads out of the drill's folder, by `..` or a link.
        """
        here = os.path.realpath(os.path.join(self.files, original.lstrip("/")))
        if not is_below(here, os.path.realpath(self.files)):
            raise not_well(f"{original} leads out of what was restored, which is refused")
        return here


def is_below(path: str, folder: str) -> bool:
    """Whether an absolute path is this folder or in it."""
    return os.path.commonpath((path, folder)) == folder


def overlap(one: str, other: str) -> bool:
    """Whether one of two absolute paths is in the other."""
    return is_below(one, other) or is_below(other, one)


@contextmanager
def drill(place: str, work: Work) -> Iterator[Drill]:
    """A new drill's folder, after what earlier ones left was removed. It goes in the end, whatever happens.

    Raises:
        Concluded: the place is none that may be used.
        Interrupted: the run is over.
    """
    root = _usable(place)
    with _alone(root, work):
        work.doing = "removing what earlier drills left"
        for leftover in _leftovers(root):
            _remove(leftover)
        path = tempfile.mkdtemp(prefix="drill-", dir=root)
        mark = os.open(os.path.join(path, _MARK), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        os.chmod(path, 0o711)  # noqa: S103 - a server of another user gets to its own folder, and sees nothing else
        made = Drill(path)
        os.mkdir(made.files, 0o700)
        yield made
    finally:
        _remove(path)
        os.close(mark)


def enough_space(place: str, keep_free: int) -> Callable[[], None]:
    """What raises `Concluded` when less than this many bytes are free there."""

    def look() -> None:
        found = os.statvfs(place)
        free = found.f_bavail * found.f_frsize
        if free < keep_free:
            text = f"{format_size(free)} are left at {place}, and keep_free is {format_size(keep_free)}"
            raise cannot_tell(f"the drill was ended: {text}")

    return look


def _usable(place: str) -> str:
    """The real path of the place.

    Raises:
        Concluded: it is not there, or somebody else may write in it.
    """
    root = os.path.realpath(place)
    try:
        found = os.stat(root)
    except OSError as error:
        raise cannot_tell(f"the scratch place {place} can not be used: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise cannot_tell(f"the scratch place {place} is no folder")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise cannot_tell(
            f"the scratch place {place} must belong to watchkeeper's user, and nobody else may write in it"
        )
    return root


@contextmanager
def _alone(root: str, work: Work) -> Iterator[None]:
    """While nobody else makes or removes a drill's folder there."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _locked(descriptor):
            work.wait(_RETRY_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leftovers(root: str) -> Iterator[str]:
    """The folders of drills whose process is gone. Nothing else there is touched."""
    with os.scandir(root) as entries:
        found = [
            entry.path for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    for path in found:
        try:
            mark = os.open(os.path.join(path, _MARK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            if not os.listdir(path):
                yield path  # it died between two steps
            continue
        try:
            if _locked(mark):
                yield path
        finally:
            os.close(mark)


def _remove(path: str) -> None:
    """Ends what still works in the folder, and removes it. Links are removed and not followed."""
    for _ in range(3):
        _end_processes(path)
        shutil.rmtree(path, onerror=_made_writable)
        if not os.path.lexists(path):
            return


def _made_writable(function: Callable[..., Any], path: str, _error: object) -> None:
    """Tries again what failed because a restored folder may not be read or written."""
    if function not in (os.open, os.unlink, os.rmdir, os.scandir, os.lstat):
        return
    with suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        if not os.path.islink(path):
            os.chmod(path, 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _end_processes(path: str) -> None:
    """Kills what has its working folder there: only a drill's programs do."""
    with suppress(OSError), os.scandir("/proc") as entries:
        for number in [int(entry.name) for entry in entries if entry.name.isdigit()]:
            with suppress(OSError):
                if not _works_in(number, path):
                    continue
                descriptor = os.pidfd_open(number)
                try:
                    if _works_in(number, path):  # still the same one
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                finally:
                    os.close(descriptor)


def _works_in(number: int, path: str) -> bool:
    return number != os.getpid() and is_below(os.readlink(f"/proc/{number}/cwd").removesuffix(" (deleted)"), path)
