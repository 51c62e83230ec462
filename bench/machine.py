"""The machine that is measured on, and whether it is quiet enough for that."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from time import sleep
from typing import Any

from bench import kernel

QUIET = 0.1  # of one core: what others may use before figures are doubtful
_LOOK_S = 2.0

_VERSIONS = {
    "nginx": ("nginx", "-v"),
    "prometheus": ("prometheus", "--version"),
    "blackbox_exporter": ("prometheus-blackbox-exporter", "--version"),
    "nagios": ("nagios4", "--version"),
    "openssl": ("openssl", "version"),
}


def busy_cores() -> float:
    """How many cores' worth of CPU is in use now, by whomever."""
    before = kernel.busy_s()
    sleep(_LOOK_S)
    return (kernel.busy_s() - before) / _LOOK_S


def describe() -> dict[str, Any]:
    """What a reader of the figures must know of the machine."""
    return {
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "system": _pretty_name(),
        "load_average": os.getloadavg(),
        "versions": {name: _version(*command) for name, command in _VERSIONS.items()},
    }


def commit() -> str | None:
    """Which watchkeeper is measured, where git knows it."""
    ask = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _pretty_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _version(program: str, argument: str) -> str | None:
    if (found := which(program)) is None:
        return None
    done = subprocess.run([found, argument], capture_output=True, text=True, check=False)
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), None)


def which(program: str) -> str | None:
    """Where a program is, also where services and plugins are kept."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/nagios/plugins"))
    return shutil.which(program, path=path)


def need(program: str) -> str:
    """Where a program is.

    Raises:
        Missing: it is not installed.
    """
    if (found := which(program)) is None:
        raise Missing(f"{program} is not installed: run {Path('bench/install-peers.sh')} as root")
    return found


class Missing(Exception):
    """A program that a case needs is not there."""
