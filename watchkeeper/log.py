"""Logs: structlog events on stderr, readable on a terminal and JSON elsewhere."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

_FIRST = ("timestamp", "level", "event")
_QUIET = ("apscheduler", "uvicorn", "alembic", "asyncio", "urllib3")  # they log below warning what we say ourselves


class LogStream:
    """Writes log lines to a file descriptor and raises nothing: what is watched matters more than what is told of it.

    Lines that can not be written (a full disk, a reader that is gone) are lost and counted. The first that can be
    written again comes after one that says how many are missing.

    Args:
        tell_lost: the line that says so.
    """

    def __init__(self, descriptor: int, tell_lost: Callable[[int], str]) -> None:
        self._descriptor = descriptor
        self._tell_lost = tell_lost
        self._lost = 0
        self._cut = False  # the last line stands there in part
        self._lock = threading.Lock()

    def write(self, line: str) -> int:
        with self._lock:
            if self._lost and self._put(self._tell_lost(self._lost)):
                self._lost = 0
            if self._lost or not self._put(line):
                self._lost += 1
        return len(line)

    def flush(self) -> None:
        """Everything is written at once."""

    def _put(self, line: str) -> bool:
        rest = memoryview(("\n" + line if self._cut else line).encode(errors="backslashreplace"))
        whole = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._cut = self._cut or len(rest) < whole
            return False
        self._cut = False
        return True


def configure(*, as_json: bool, level: str, stream: TextIO = sys.stderr) -> None:
    """Sets up logging of the process, also of the libraries that use Python's own.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: where logs go, a file.
    """
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Traces without local variables: those hold secrets.
    last: list[Any] = (
        [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            _in_order,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )

    def tell_lost(lines: int) -> str:
        event: Any = {"event": "log_lines_lost", "count": lines}
        for process in (*before, *last):
            event = process(None, "warning", event)
        return f"{event}\n"

    lossy = LogStream(stream.fileno(), tell_lost)
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=[*before, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(lossy),  # type: ignore[arg-type]  # it writes and flushes, no more
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lossy)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _in_order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """When, how bad and what come first in a line."""
    return {name: event[name] for name in _FIRST if name in event} | dict(event)


def wants_json(format_: str, stream: TextIO = sys.stderr) -> bool:
    """Whether logs are JSON under a format of the configuration: `auto`, `json` or `console`."""
    return format_ == "json" or (format_ == "auto" and not stream.isatty())
