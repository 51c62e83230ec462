"""Commands of users: no shell, a clean environment, and a process group that is killed in the end."""

import asyncio
import errno
import os
import re
import select
import selectors
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from time import monotonic
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo

from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import Failure, Finding, Runs, Stopping, failed, sample
from watchkeeper.schema.fields import SECRET_HELP, Secret, SecretUnavailable, TextOrSecret

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_THREADS: Final = 16
_MOST_ERRORS: Final = 4096
_CHUNK: Final = 65_536
_CHUNKS: Final = 32  # a pipe holds a megabyte at most
_OUT: Final = "out"
_ERR: Final = "err"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CREDENTIAL: Final = re.compile(r"secret|passw|token|api_?key|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code`: its exit code, negative for a signal's number, `None` if its time was over.

    `out` and `err` are the beginning of what it wrote; `cut`: whether there was more of `out`.
    """

    code: int | None
    out: bytes
    err: bytes
    cut: bool = False


class Job:
    """One run of a program, which another thread may end."""

    def __init__(self) -> None:
        self._lock = Lock()  # held for no longer than a signal takes
        self._process: Popen[bytes] | None = None
        self._over = False

    def end(self) -> None:
        """Kills it, or keeps it from being started."""
        with self._lock:
            self._over = True
            if self._process is not None:
                _kill(self._process)

    def run(self, command: Sequence[str], environment: Mapping[str, str], deadline: float, most: int) -> Ended:
        """Runs it until it ends, or until `deadline`, a time of the monotonic clock, or until `end` is called.

        What it has left behind in its process group is killed, too.

        Args:
            most: how many bytes of its output are kept. The rest is read as well, and dropped.

        Raises:
            OSError: it can not be started.
        """
        if self._over or monotonic() >= deadline:
            return Ended(None, b"", b"")
        kept = {_OUT: _Kept(most), _ERR: _Kept(_MOST_ERRORS)}
        process = Popen(  # noqa: S603  # no shell: what the configuration names, and nothing else
            command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={"PATH": PATH, "LANG": "C.UTF-8", **environment},
            cwd="/",
            start_new_session=True,
        )
        ended = False
        try:
            with self._lock:
                self._process = process
                if self._over:
                    _kill(process)
            ended = self._read(process, kept, deadline)
        finally:
            with self._lock:
                _kill(process)  # its number is its own until it was waited for
                self._process = None
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            process.wait()
        code = process.returncode if ended else None
        return Ended(code, bytes(kept[_OUT].data), bytes(kept[_ERR].data), kept[_OUT].cut)

    def _read(self, process: Popen[bytes], kept: Mapping[str, "_Kept"], deadline: float) -> bool:
        """Takes what it writes. Returns whether it has ended by itself."""
        assert process.stdout is not None
        assert process.stderr is not None
        watch = os.pidfd_open(process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(watch, selectors.EVENT_READ)
                for pipe, name in ((process.stdout, _OUT), (process.stderr, _ERR)):
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe.fileno(), selectors.EVENT_READ, name)
                while not self._over and (left := deadline - monotonic()) > 0:
                    # Looked at first: what is there to read now was written before it ended.
                    has_ended = _ready(watch)
                    for key, _ in selector.select(0 if has_ended else left):
                        if key.fd != watch and not kept[key.data].take(key.fd, _CHUNKS if has_ended else 1):
                            selector.unregister(key.fd)
                    if has_ended:
                        return True
        finally:
            os.close(watch)
        return False


class _Kept:
    """The beginning of what comes out of a pipe."""

    def __init__(self, most: int) -> None:
        self.data = bytearray()
        self.cut = False
        self._most = most

    def take(self, fd: int, chunks: int) -> bool:
        """Reads so many chunks, if they are there. Returns whether there may be more to come."""
        with suppress(BlockingIOError):
            for _ in range(chunks):
                chunk = os.read(fd, _CHUNK)
                if not chunk:
                    return False
                room = self._most - len(self.data)
                self.data += chunk[:room]
                self.cut = self.cut or len(chunk) > room
        return True


def _ready(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _kill(process: Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


Work = Callable[[Probe, Job, float], Finding]
"""Runs the program of a probe: (probe, job, deadline). An `OSError` means that it could not be started."""


class CommandProber:
    """Runs programs, each in a thread that waits for it: so many at once, and of each probe one."""

    def __init__(self, clock: Clock, name: str, work: Work) -> None:
        self._clock = clock
        self._work = work
        self._threads = Threads(name, _THREADS)
        self._runs = Runs()
        self._calls: dict[str, Future[Finding]] = {}

    async def run(self, probe: Probe) -> Sample:
        """Runs the probe's program once."""
        began = monotonic()
        try:
            finding = await self._find(probe, began + probe.timeout_ms / 1000)
        except (Stopping, SecretUnavailable) as error:
            finding = failed(Failure.LOCAL, str(error))
        except OSError as error:
            finding = failed(Failure.LOCAL, f"could not run {error.filename or 'it'}: {error.strerror or error}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._threads.close()

    async def _find(self, probe: Probe, deadline: float) -> Finding:
        if (earlier := self._calls.get(probe.id)) is not None and not earlier.done():
            return failed(Failure.LOCAL, "an earlier run can not be ended: the system does not let go of it")
        job, call = Job(), None
        try:
            async with self._runs.within(probe.timeout_ms):
                call = self._threads.submit(partial(self._work, probe, job, deadline))
                self._calls[probe.id] = call
                return await asyncio.wrap_future(call)
        except TimeoutError:
            if call is None or call.cancelled():
                within = format_duration_ms(probe.timeout_ms)
                return failed(Failure.LOCAL, f"could not begin within {within}: other probes take all threads")
            return timed_out(probe)
        finally:
            job.end()
            if call is not None and (call.done() or call.cancelled()):
                self._calls.pop(probe.id, None)


def timed_out(probe: Probe) -> Finding:
    """What a program was killed for."""
    within = format_duration_ms(probe.timeout_ms)
    return failed(Failure.TIMEOUT, f"did not end within {within}, and was killed")


def find_program(name: str, folders: Iterable[str] = ()) -> str:
    """The path of a program. One without a slash is looked for in these folders, and then in those of `PATH`.

    Raises:
        FileNotFoundError: it is in none.
    """
    if "/" in name:
        return name
    for folder in (*folders, *PATH.split(":")):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise FileNotFoundError(errno.ENOENT, "there is no such program", name)


def revealed(environment: Mapping[str, str | Secret]) -> dict[str, str]:
    """An environment with its secrets. May read files.

    Raises:
        SecretUnavailable: one is not there, or can not be in an environment.
    """
    found = {name: value if isinstance(value, str) else value.reveal() for name, value in environment.items()}
    for name, value in found.items():
        if "\0" in value:
            raise SecretUnavailable(f"the secret for {name} holds a zero byte, which no environment can")
    return found


def _check_command(command: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if any("\0" in one for one in command):
        raise ValueError("holds a zero byte, which no command can")
    program, *arguments = command
    if not program:
        raise ValueError("must begin with a program")
    if "/" in program:
        base: Path = (info.context or {}).get("base", Path())
        program = os.path.abspath(base / os.path.expanduser(program))
    return program, *arguments


def _check_environment(environment: dict[str, str | Secret]) -> dict[str, str | Secret]:
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a variable: accepted are letters, digits and _")
        if isinstance(value, str) and _CREDENTIAL.search(name):
            raise ValueError(f"{name}: a secret does not stand in the file: accepted is {SECRET_HELP}")
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{name}: holds a zero byte, which no environment can")
    return environment


Command = Annotated[tuple[str, ...], Field(min_length=1, max_length=200), AfterValidator(_check_command)]
"""A program and its arguments. A program with a slash is relative to the file; absolute once validated."""

Environment = Annotated[dict[str, TextOrSecret], AfterValidator(_check_environment)]
"""Variables of a program's environment. One that carries a credential names where the secret is kept."""
