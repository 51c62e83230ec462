"""Prometheus's text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from collections.abc import Iterable
from functools import lru_cache


def labels_text(**labels: str) -> str:
    """`name="value",…` with what must be escaped escaped."""
    return ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())


@lru_cache(maxsize=1024)  # the names of values are few, and stand in most lines
def escaped(value: str) -> str:
    """A label's value as it is written."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def head(name: str, kind: str, meaning: str) -> str:
    """What stands above the lines of a metric."""
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"


def family(name: str, kind: str, meaning: str, lines: Iterable[tuple[str, float]]) -> str:
    """A metric with its lines, each as its labels and its value."""
    body = "".join(f"{name}{{{labels}}} {value!r}\n" if labels else f"{name} {value!r}\n" for labels, value in lines)
    return head(name, kind, meaning) + body
