"""File descriptors: every run under way holds a socket or two."""

import resource

import structlog

_log = structlog.get_logger("daemon")


def raise_limit() -> int | None:
    """Takes as many file descriptors as the system allows this process. Returns how many that are, if it tells."""
    limit: int | None = None
    try:
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            limit = most
    except (OSError, ValueError) as error:  # a sandbox may forbid it
        _log.warning("descriptor_limit_kept", limit=limit, error=str(error))
    return limit
