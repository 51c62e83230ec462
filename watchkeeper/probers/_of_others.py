"""Probe types that other packages bring along."""

import re
from collections.abc import Container
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from watchkeeper.domain.probe import Category, FactType
from watchkeeper.probers.base import ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.kinds import Broken

GROUP: Final = "watchkeeper.probers"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_COMMON: Final = frozenset(
    (
        "id",
        "prober",
        "service",
        "every",
        "cron",
        "timezone",
        "timeout",
        "labels",
        "category",
        "each",
        "parents",
        "critical",
    )
)
"""Keys that every probe has."""


def of_others(own: Container[str]) -> dict[str, ProberKind | Broken]:
    """The types that entry points name, by name: those that can be used, and why the others can not.

    Args:
        own: names that are watchkeeper's own. A type of this name is not looked at.
    """
    found: dict[str, ProberKind | Broken] = {}
    for point in entry_points(group=GROUP):
        if point.name in own:
            continue
        if point.name in found:
            found[point.name] = _broken(point, "two packages have one of this name: uninstall one")
        else:
            found[point.name] = _loaded(point)
    return found


def _loaded(point: EntryPoint) -> ProberKind | Broken:
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is: it is not ours, and must not end us
        return _broken(point, f"its module can not be imported: {type(error).__name__}: {error}")
    try:
        wrong = _wrong(point.name, kind)
    except Exception as error:  # noqa: BLE001  # its parts may be anything
        wrong = f"it can not be read: {type(error).__name__}: {error}"
    return kind if wrong is None else _broken(point, wrong)


def _wrong(name: str, kind: Any) -> str | None:
    """What keeps an object from being a probe type of this name."""
    if not isinstance(kind, ProberKind):
        return f"it is a {type(kind).__name__}, and must be a watchkeeper.probers.base.ProberKind"
    if kind.name != name or not _NAME.fullmatch(name):
        return f"its name is {kind.name!r}: it must be that of the entry point, of lower-case letters, digits and _"
    options: Any = kind.options
    if not (isinstance(options, type) and issubclass(options, Model)):
        return "its options must be a subclass of watchkeeper.schema.base.Model"
    taken = _COMMON & {field.alias or key for key, field in options.model_fields.items()}
    if taken:
        return f"its option {min(taken)!r} has the name of what every probe has"
    options.model_json_schema()
    if not isinstance(kind.category, Category):
        return "its category must be one of watchkeeper.domain.probe.Category"
    if not all(map(callable, (kind.make, kind.host))):
        return "its make and host must be callable"
    for produced in (*kind.values, *kind.facts):
        if not _NAME.fullmatch(produced):
            return f"its value or fact {produced!r} is no name: accepted are lower-case letters, digits and _"
    for fact, (type_, _) in kind.facts.items():
        if not isinstance(type_, FactType):
            return f"the type of its fact {fact!r} must be one of watchkeeper.domain.probe.FactType"
    return None


def _broken(point: EntryPoint, why: str) -> Broken:
    package = point.dist.name if point.dist is not None else point.value
    return Broken(
        f"the prober {point.name!r} of the package {package} can not be used: {' '.join(why.split())[:500]}"
    )
