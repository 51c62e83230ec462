"""File descriptors: every run under way holds a socket or two."""

import resource
from typing import Final

import structlog

_OTHERS: Final = 200  # the database, the web server, files that are read
_PER_RUN: Final = 2  # the connection, and while its name is looked up another one

_log = structlog.get_logger("daemon")


class TooFewDescriptors(Exception):
    """The system does not allow as many file descriptors as the configuration needs."""


def provide_for(runs: int) -> None:
    """Takes as many file descriptors as the system allows this process.

    Raises:
        TooFewDescriptors: they are not enough for so many runs at once.
    """
    limit = _raise_limit()
    needed = runs * _PER_RUN + _OTHERS
    if limit is not None and limit < needed:
        raise TooFewDescriptors(
            f"limits.runs: {runs} runs at once need {needed} file descriptors, and this process may open {limit}. "
            f"Raise its limit (LimitNOFILE in the systemd unit, ulimit -n), or set limits.runs to "
            f"{max(1, (limit - _OTHERS) // _PER_RUN)} or less"
        )


def _raise_limit() -> int | None:
    """The limit, raised as far as the system allows; `None` where it does not tell."""
    limit: int | None = None
    try:
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            limit = most
    except (OSError, ValueError) as error:  # a sandbox may forbid it
        _log.warning("descriptor_limit_kept", limit=limit, error=str(error))
    return limit
