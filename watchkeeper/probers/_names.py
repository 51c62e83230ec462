"""Names of values that somebody else has chosen, as rules can write them."""

import re
from collections.abc import Container
from typing import Final

from watchkeeper.domain.report import cleaned
from watchkeeper.domain.streak import STATUS
from watchkeeper.domain.window import DURATION, UP

MOST: Final = 80
"""Characters of a name."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_CEL: Final = frozenset(("in", "null", "true", "false"))  # words that are no names
_TAKEN: Final = _CEL | {DURATION, UP, STATUS} | {name for name in dir(dict) if name.isalpha()}  # of templates


def safe_name(label: str) -> str:
    """A label in lower case, with `_` for everything but letters and digits: `/var/log` is `var_log`.

    `/` is `root`. What would begin with a digit begins with `v`. What means something else in rules gets a `_` at its
    end. What ends in `_percent` ends in `_pct`: rules take the former to lie between 0 and 100.
    """
    name = _OTHER.sub("_", label.lower()).strip("_")[:MOST].rstrip("_")
    if not name:
        return "root" if label == "/" else "value"
    if name[0].isdigit():
        name = f"v{name}"
    if name in _TAKEN:
        name += "_"
    return re.sub(r"(?<![a-z0-9])percent$", "pct", name) if name != "percent" else name


def why_no_value(name: str, value: float) -> str | None:
    """Why a value can not have a name that somebody chose for watchkeeper; `None`: it can."""
    if not _NAME.fullmatch(name) or len(name) > MOST:
        return f"a value named {cleaned(name)!r}: accepted are lower-case letters, digits and _, after a letter"
    if name in _TAKEN:
        return f"a value named {name!r}, which means something else in rules: choose another name"
    if name.endswith("_percent") and not 0 <= value <= 100:
        return f"{name}={value:g}: what is named a percentage lies between 0 and 100"
    return None


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or with the first number from 2 at its end that makes it one of its own."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
