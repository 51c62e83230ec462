"""Memory after a configuration was read: what stays is left alone, what reading it took is given back."""

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # malloc.h


def share_one_heap() -> None:
    """To be called before there are threads. Each would get a heap of its own, and Python lets one run at a time."""
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Collects garbage once, spares later collections all that is left, and gives free memory back to the system.

    Without this, each full collection would look at every object of every probe, and the parsed YAML, several times
    the size of what was made of it, would stay with the process.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
