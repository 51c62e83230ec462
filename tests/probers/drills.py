"""How tests hold restore drills, and look at what they leave."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.probers.asking import ask, run
from watchkeeper.domain.probe import Sample

T = TypeVar("T")

RUN_AS: Final[dict[str, str]] = {"run_as": "postgres"} if os.geteuid() == 0 else {}
"""What a server needs to be told where the tests run as root."""


@contextmanager
def place() -> Iterator[Path]:
    """A place for drills, with a short path, which must be empty again in the end."""
    folder = Path("/tmp") / f"wk-drills-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir(0o711)
    try:
        yield folder
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", folder], check=False)


def drill(scratch: Path, timeout: str = "1m", **options: Any) -> Sample:
    """The sample of one drill."""
    return run(ask("restore", {"scratch": str(scratch), "keep_free": "1MiB", **options}, timeout))


def until(found: Callable[[], T | None], seconds: float = 20) -> T:
    """What it gives, as soon as that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def processes_in(folder: Path) -> list[int]:
    """The processes whose working folder is there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink().is_relative_to(folder):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether it runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
