"""Memory after a configuration was read: what stays is left alone, what reading it took is given back."""

import ctypes
import gc
from contextlib import suppress


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
