"""Where output goes: to terminals of any width, and to where it can not go."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.e2e.daemon import ROOT, Setup, run_command
from tests.e2e.test_restart import DOWN, tcp_probes


def shell(setup: Setup, line: str) -> "subprocess.CompletedProcess[str]":
    """A line of a shell. `$wk` is the command."""
    return subprocess.run(
        ["bash", "-c", f'wk="{sys.executable} -m watchkeeper"; {line}'],
        cwd=setup.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "WATCHKEEPER_CONFIG": str(setup.config)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup.of(tmp_path, probes=tcp_probes([9]), rules=DOWN)


@pytest.mark.parametrize("command", ["check", "check --json", "schema", "--help"])
def test_a_full_disk_is_told(setup: Setup, command: str) -> None:
    done = shell(setup, f"$wk {command} > /dev/full")
    assert (done.returncode, done.stderr) == (
        3, "watchkeeper: the output can not be written: No space left on device\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["check", "schema"])
def test_an_output_that_is_shut_is_told(setup: Setup, command: str) -> None:
    done = shell(setup, f"$wk {command} >&-")
    assert done.returncode == 3
    assert done.stderr == "watchkeeper: the output can not be written: Bad file descriptor\n"


@pytest.mark.parametrize("command", ["check", "schema", "--help"])
def test_output_that_nobody_reads_ends_the_command_quietly(setup: Setup, command: str) -> None:
    done = shell(setup, f"$wk {command} | true; exit ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.returncode in (0, 141), "as with any program that writes into a broken pipe, or before it breaks"


def test_a_mistake_is_a_mistake_though_nobody_can_be_told(setup: Setup) -> None:
    setup.write("probes.yaml", "probes: 3\n")
    assert shell(setup, "$wk check 2> /dev/full").returncode == 1
    assert shell(setup, "$wk run 2>&-").returncode == 1


def test_no_file_gets_the_place_of_a_stream_that_is_shut(setup: Setup) -> None:
    done = shell(setup, "$wk db upgrade >&- 2>&-")
    assert done.returncode == 3, "it has nowhere to say that it is done"
    assert "up to date" in shell(setup, "$wk db upgrade").stdout


def test_a_terminal_however_narrow_shows_words_and_not_single_letters(setup: Setup) -> None:
    leader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 10, 0, 0))
    subprocess.run(
        [sys.executable, "-m", "watchkeeper", "check", "-c", str(setup.config)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=setup.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=True,
    )
    os.close(terminal)
    said = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "every 200ms" in said


def test_schemas_that_can_not_be_written_are_told(tmp_path: Path) -> None:
    done = run_command("schema", "--write", "/proc/nowhere", folder=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("watchkeeper: /proc/nowhere/watchkeeper.schema.json can not be written: ")
    assert "Traceback" not in done.stderr
