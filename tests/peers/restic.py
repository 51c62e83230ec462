"""A real restic repository for the tests of one process, made when first wanted, gone at exit."""

import atexit
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.probers.asking import NOW_MS

PASSWORD: Final = "correct horse"
HOUR: Final = 3600


class Repository:
    """A repository in a folder of its own, beside what is backed up into it."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.folder = folder
        self.repository = folder / "repository"
        self.source = folder / "source"
        self.source.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_CACHE_DIR": str(folder / "cache"),
        }

    def run(self, *arguments: str) -> str:
        command = [self._program, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment).stdout

    def back_up(self, age_s: float, host: str = "db1", tag: str = "nightly") -> None:
        """A snapshot of the source that was made so long before the tests' now."""
        at = datetime.fromtimestamp(NOW_MS / 1000 - age_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.run("backup", "--quiet", "--time", at, "--host", host, "--tag", tag, str(self.source))

    def copy(self, folder: Path) -> Path:
        """A copy of the repository, which a test may do to what it likes."""
        return shutil.copytree(self.repository, folder / "copy")


@cache
def repository() -> Repository:
    """Of db1 snapshots of 3000, 1000 and 2000 bytes, 50, 26 and 2 hours old; of db2 one, 30 hours old.

    Skips the test where there is no restic.
    """
    made = empty()
    for size, age_h, host in ((3000, 50, "db1"), (1000, 30, "db2"), (1000, 26, "db1"), (2000, 2, "db1")):
        (made.source / "data").write_bytes(os.urandom(size))
        made.back_up(age_h * HOUR, host)
    return made


def empty() -> Repository:
    """A new repository without a snapshot."""
    program = shutil.which("restic")
    if program is None:
        pytest.skip("restic is not installed (tests/install-peers.sh installs it)")
    folder = Path(tempfile.mkdtemp(prefix="wk-restic-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Repository(program, folder)
    made.run("init")
    return made
