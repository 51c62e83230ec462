"""Logs: structlog events on stderr, readable on a terminal and JSON elsewhere."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

_FIRST = ("timestamp", "level", "event")
_QUIET = ("apscheduler", "uvicorn", "alembic", "asyncio", "urllib3")  # they log below warning what we say ourselves


def configure(*, as_json: bool, level: str, stream: TextIO = sys.stderr) -> None:
    """Sets up logging of the process, also of the libraries that use Python's own.

    Args:
        level: `debug`, `info`, `warning` or `error`.
    """
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.dict_tracebacks, _in_order, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=24)]
    )
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=[*before, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
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
