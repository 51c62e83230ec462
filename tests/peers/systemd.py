"""A real systemd that manages units of a test's own, and programs that pass for systemctl."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_PATIENCE_S: Final = 15.0
_MANAGER: Final = "/lib/systemd/systemd"
_ROOM: Final = (  # it wants to be alone with its cgroups, and to believe that the machine was started by a systemd
    "mount -t proc proc /proc && mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run"
    f" && mkdir -p /run/systemd/system && {_MANAGER} --user --unit=test.target; exit $?"  # not as the first process
)


@contextmanager
def user_manager(folder: Path, units: Mapping[str, str]) -> Iterator[Path]:
    """The path of the systemctl of a manager that has these units and has started what test.target wants.

    A manager answers only those who are in its own namespace of processes: it is the real systemctl, sent there.
    Skips where there is no systemd, or no right to start one.
    """
    if os.getuid() != 0 or not os.path.exists(_MANAGER) or shutil.which("unshare") is None:
        pytest.skip("needs root, unshare and systemd, to start a manager of its own")
    runtime, unit_path = folder / "run", folder / "units"
    for made in (runtime, unit_path):
        made.mkdir(mode=0o700)
    for name, text in units.items():
        (unit_path / name).write_text(text)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "SYSTEMD_UNIT_PATH": str(unit_path),
        "SYSTEMD_LOG_TARGET": "console",
    }
    alone = ["unshare", "--mount", "--cgroup", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", _ROOM]
    with (folder / "systemd.log").open("wb") as log:
        process = subprocess.Popen(alone, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        latest = time.monotonic() + _PATIENCE_S
        while not _has_started(program := _sent_to(process.pid, runtime, folder / "systemctl")):
            said = (folder / "systemd.log").read_text()
            if process.poll() is not None and "permitted" in said:
                pytest.skip(f"may not start a systemd of its own here: {said}")
            assert process.poll() is None, said
            assert time.monotonic() < latest, said
            time.sleep(0.05)
        yield program
    finally:
        process.kill()  # and so everything within
        process.wait(10)


def _sent_to(starter: int, runtime: Path, program: Path) -> Path:
    """Writes a program that runs systemctl where the first child of a process is."""
    children = Path(f"/proc/{starter}/task/{starter}/children").read_text().split()
    there = f"nsenter --target {children[0]} --mount --pid" if children else "false"
    program.write_text(f'#!/bin/sh\nexport XDG_RUNTIME_DIR={runtime}\nexec {there} systemctl "$@"\n')
    program.chmod(0o700)
    return program


def _has_started(program: Path) -> bool:
    asked = subprocess.run([program, "--user", "is-active", "test.target"], capture_output=True, check=False)
    return asked.stdout == b"active\n"


def systemctl_that_says(folder: Path, text: str, *, then: str = "") -> str:
    """The path of a program that prints this, and then does what a line of shell says."""
    program = folder / "systemctl"
    (folder / "said").write_text(text + "\n" if text else "")
    program.write_text(f"#!/bin/sh\ncat {folder}/said\n{then}\n")
    program.chmod(0o700)
    return str(program)
