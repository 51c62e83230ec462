"""The standard streams of a process, as its starter left them: open, shut, full, or read by nobody any more."""

import io
import os
import sys
from typing import Any


class Output(io.FileIO):
    """A standard stream that remembers why it could not be written."""

    trouble: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.trouble = error
            raise

    def drop(self) -> None:
        """Has everything vanish that is written from now on, also what waits in buffers: Python flushes them at the
        end, and would make an exit status of its own of a failure."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def hold() -> tuple[Output, Output]:
    """Takes the standard streams. Returns what is behind `sys.stdout` and `sys.stderr`.

    The places of those that are shut are taken as well: no file that is opened later may get them, for it would get
    what is printed. Writing to one fails as it does to a stream that is shut.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # which gets the lowest number that is free
    out, err = Output(1, "w", closefd=False), Output(2, "w", closefd=False)
    sys.stdout = _text(out, "strict")
    sys.stderr = _text(err, "backslashreplace")
    return out, err


def _text(output: Output, errors: str) -> io.TextIOWrapper:
    encoding = sys.__stdout__.encoding if sys.__stdout__ is not None else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(output), encoding=encoding, errors=errors, line_buffering=True)
