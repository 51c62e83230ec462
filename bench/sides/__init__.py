"""The sides: each is a monitoring system that is started with so many probes, and stopped."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from bench import children


@dataclass(frozen=True, slots=True)
class Load:
    """What a side is to do: probe each URL, every so many seconds, with two rules on each."""

    urls: Sequence[str]
    every_s: int
    certificate: Path
    timeout_s: int = 1
    hold_s: int = 15  # how long a fault must last


class Side(ABC):
    """A monitoring system. `folder` is its own, and is removed later by whoever made it."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def start(self, load: Load) -> None:
        """Starts it; returns when it works."""

    @abstractmethod
    def up(self) -> int:
        """How many probes it has found up: whether it really judges what it asks."""

    def stop(self) -> None:
        for process in reversed(self._processes):
            children.end(process)
        self._processes.clear()

    @property
    def pids(self) -> list[int]:
        """Of the processes that were started; their descendants count as well."""
        return [process.pid for process in self._processes]

    def check_alive(self) -> None:
        for process in self._processes:
            if process.poll() is not None:
                logs = "\n".join(children.tail(log) for log in sorted(self.folder.glob("*.log")))
                raise RuntimeError(f"{self.name} ended with status {process.returncode}:\n{logs}")

    def _spawn(self, name: str, *command: str, core: int | None = None) -> tuple["Popen[bytes]", Path]:
        log = self.folder / f"{name}.log"
        process = children.spawn(command, log, core=core)
        self._processes.append(process)
        return process, log
