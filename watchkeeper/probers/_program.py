"""Other programs: no shell, a clean environment, bounded output, and an end when the run's time is over."""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic, sleep
from typing import IO, Final

from watchkeeper.domain.probe import Fact, Status
from watchkeeper.probers.base import Finding
from watchkeeper.schema.fields import Secret, SecretUnavailable

MOST_OUTPUT: Final = 16 * 2**20  # bytes
_MOST_ERRORS: Final = 64 * 2**10  # bytes, the last ones
_LONGEST: Final = 300  # characters of what a program said, in a message
_TICK_S: Final = 0.1  # how often it is looked whether a run is over
_PATIENCE_S: Final = 5.0  # for a program to end that was asked to
_INHERITED: Final = ("HOME", "TMPDIR", "XDG_CACHE_HOME")


class Concluded(Exception):
    """A run that ends before its last step, with what it found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def cannot_tell(text: str) -> Concluded:
    """The end of a run whose fault is watchkeeper's own: unknown."""
    return Concluded(Finding(Status.UNKNOWN, text))


def not_well(
    text: str, values: Mapping[str, float] | None = None, facts: Mapping[str, Fact] | None = None
) -> Concluded:
    """The end of a run that found its target not well: down."""
    return Concluded(Finding(Status.DOWN, text, values or {}, facts or {}))


class Interrupted(Exception):
    """The run is over: out of time, cancelled, or the prober is closed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program left. `code` is negative for the signal that ended it; of `errors` the end is kept."""

    code: int
    output: bytes
    errors: bytes

    @property
    def reason(self) -> str:
        """The line that says why it failed: the last one that it calls fatal or an error, else the last."""
        lines = [line.strip() for line in self.errors.decode("utf-8", "replace").splitlines() if line.strip()]
        fatal = [line for line in lines if line.lower().startswith(("fatal:", "error:"))]
        if not lines:
            return f"signal {-self.code} ended it" if self.code < 0 else f"it ended with status {self.code}"
        return on_one_line((fatal or lines)[-1])


@dataclass(frozen=True, slots=True)
class Account:
    """The user whom a program runs as, where that is another than watchkeeper's."""

    uid: int
    gid: int


def on_one_line(text: str) -> str:
    """What a program said, fit for a message."""
    plain = "".join(character if character.isprintable() else " " for character in text[:_LONGEST])
    return plain.strip().rstrip(". ")


def clean_environment(wanted: Mapping[str, str | Secret]) -> dict[str, str]:
    """What a program gets to see of the environment, and what it is told beside it.

    Raises:
        Concluded: a secret is not where it should be.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    environment |= {name: os.environ[name] for name in _INHERITED if name in os.environ}
    for name, value in wanted.items():
        try:
            environment[name] = value.reveal() if isinstance(value, Secret) else value
        except SecretUnavailable as unavailable:
            raise cannot_tell(str(unavailable)) from None
        if "\0" in environment[name]:
            raise cannot_tell(f"the value of {name} has a NUL character, which no environment can hold")
    return environment


class Work:
    """What one run does in its thread. The event loop may `stop` it at any time; `doing` says how far it is."""

    def __init__(self) -> None:
        self._over = Event()
        self.doing = ""

    def stop(self) -> None:
        """Ends it: programs under way are killed within moments."""
        self._over.set()

    def go_on(self) -> None:
        """To be called at every step that takes a while.

        Raises:
            Interrupted: the run is over.
        """
        if self._over.is_set():
            raise Interrupted

    def wait(self, seconds: float) -> None:
        """Lets time pass.

        Raises:
            Interrupted: the run is over.
        """
        if self._over.wait(seconds):
            raise Interrupted

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: str = "/",
        account: Account | None = None,
        output: int | IO[bytes] = subprocess.PIPE,
        errors: int | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """The program, in a process group of its own. Who starts it ends it. Errors go where output goes.

        Raises:
            Concluded: it is not installed, or may not be run.
            Interrupted: the run is over.
        """
        self.go_on()
        try:
            return subprocess.Popen(  # noqa: S603 - no shell; the arguments are the prober's own
                command,
                stdin=stdin,
                stdout=output,
                stderr=errors if errors is not None else subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[account.gid] if account else None,
            )
        except FileNotFoundError:
            raise cannot_tell(f"the program {command[0]} is not there: install it") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise cannot_tell(f"the program {command[0]} could not be started: {error}") from None

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: str = "/",
        account: Account | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        each_tick: Callable[[], None] = lambda: None,
    ) -> Ended:
        """What the program left when it ended by itself.

        Args:
            each_tick: called some ten times a second; what it raises ends the program.

        Raises:
            Concluded: it could not be run, or said more than 16 MiB.
            Interrupted: the run is over.
        """
        process = self.start(
            command, environment, folder=folder, account=account, errors=subprocess.PIPE, stdin=stdin
        )
        try:
            output, errors = self._drained(process, each_tick)
        finally:
            kill(process)
        return Ended(process.returncode, output, errors)

    def _drained(self, process: subprocess.Popen[bytes], each_tick: Callable[[], None]) -> tuple[bytes, bytes]:
        """What it wrote until it ended. What it left behind may hold its pipes open: that is not waited for."""
        kept: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        with selectors.DefaultSelector() as selector:
            for name in kept:
                selector.register(getattr(process, name), selectors.EVENT_READ, name)
            while selector.get_map() and not (has_ended(process) and not selector.select(0)):
                for key, _ in selector.select(_TICK_S):
                    chunk = os.read(key.fd, 2**16)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    kept[key.data] += chunk
                del kept["stderr"][:-_MOST_ERRORS]
                if len(kept["stdout"]) > MOST_OUTPUT:
                    raise cannot_tell(f"a program said more than {MOST_OUTPUT} bytes")
                self.go_on()
                each_tick()
        while not has_ended(process):  # it closed what it writes to, and goes on
            self.wait(_TICK_S)
            each_tick()
        return bytes(kept["stdout"]), bytes(kept["stderr"])


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it is over. It is not reaped by this: until it is, no other process gets its number."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(process: subprocess.Popen[bytes], first: int = signal.SIGKILL) -> None:
    """Ends a program with its process group, and waits for it: asked by `first`, then killed."""
    if process.returncode is None:
        if first != signal.SIGKILL and not has_ended(process):
            process.send_signal(first)
            until = monotonic() + _PATIENCE_S
            while not has_ended(process) and monotonic() < until:
                sleep(_TICK_S / 5)
        with suppress(ProcessLookupError, PermissionError):  # with what it left behind in its group
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead file server can't be ended
            process.wait(_PATIENCE_S)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
