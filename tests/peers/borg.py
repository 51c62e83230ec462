"""A real borg repository for the tests of one process, made when first wanted, gone at exit."""

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

PASSPHRASE: Final = "correct horse"
HOUR: Final = 3600


class Repository:
    """A repository in a folder of its own, beside what is backed up into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.source = folder / "source"
        self.base = folder / "base"
        self.source.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_REPO": str(self.repository),
            "BORG_BASE_DIR": str(self.base),
        }

    def run(self, *arguments: str) -> None:
        subprocess.run(["borg", *arguments], check=True, capture_output=True, env=self.environment)

    def back_up(self, name: str, age_s: float) -> None:
        """An archive of the source that was made so long before the tests' now."""
        at = datetime.fromtimestamp(NOW_MS / 1000 - age_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self.run("create", "--timestamp", at, f"::{name}", str(self.source))


@cache
def repository() -> Repository:
    """Of db1 archives of 1000 and 2000 bytes, 26 and 2 hours old; of db2 one, 30 hours old.

    Skips the test where there is no borg.
    """
    made = empty()
    for size, age_h, name in ((1000, 30, "db2-1"), (1000, 26, "db1-1"), (2000, 2, "db1-2")):
        (made.source / "data").write_bytes(os.urandom(size))
        made.back_up(name, age_h * HOUR)
    return made


def empty() -> Repository:
    """A new repository without an archive."""
    if shutil.which("borg") is None:
        pytest.skip("borg is not installed (tests/install-peers.sh installs it)")
    folder = Path(tempfile.mkdtemp(prefix="wk-borg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Repository(folder)
    made.run("init", "-e", "repokey")
    return made
