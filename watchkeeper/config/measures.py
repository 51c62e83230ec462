"""How availability is measured, from what services say of it."""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from watchkeeper.config.calendarmodels import AvailabilityModel, DownWhen
from watchkeeper.config.problems import Problem, suggest
from watchkeeper.domain.condition import (
    AllDown,
    AnyDown,
    Ask,
    AvailabilityPolicy,
    Condition,
    Expressed,
    Quorum,
    standing_of,
)
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.service import Service

_CALLED: Final = re.compile(r"\b(?:up|down)\(\s*(?:\"([^\"]*)\"|'([^']*)')\s*\)")
_HELP: Final = 'down("web-*") and up("web-*") count probes, such as down("web-*") > 1'
_LOCK: Final = threading.Lock()  # the functions of an expression read what it is asked of from one place
_ASKED: Final[dict[str, Sequence[str]]] = {"up": (), "down": ()}

Place = Callable[[str, str], Problem]
"""A problem of what a service says of its availability: of one of its keys, and what is wrong."""


def policy_of(model: AvailabilityModel, place: Place, problems: list[Problem]) -> AvailabilityPolicy:
    """How availability is measured. What is wrong with that is added to the problems."""
    condition: Condition = AllDown() if model.down_when is DownWhen.ALL else AnyDown()
    if model.quorum is not None:
        condition = Quorum(model.quorum)
    elif model.when is not None:
        try:
            condition = Expressed(model.when, _compile(model.when))
        except ValueError as error:
            problems.append(place("when", str(error)))
    return AvailabilityPolicy(condition, model.probes, tuple(sorted(model.labels.items())), model.unknown)


def mistakes(service: Service, model: AvailabilityModel, probes: Iterable[Probe]) -> Iterable[tuple[str, str]]:
    """What of it fits none of the service's probes: the key, and what is wrong."""
    own = [probe for probe in probes if probe.service == service.id]
    for pattern in model.probes:
        if not any(fnmatchcase(probe.id, pattern) for probe in own):
            yield "probes", f"no probe of the service is like {pattern!r}{suggest(pattern, [one.id for one in own])}"
    taken = [probe.id for probe in own if service.availability.takes(standing_of(probe))]
    if model.quorum is not None and model.quorum > len(taken):
        yield "quorum", f"is {model.quorum}, and only {len(taken)} of its probes count"
    for found in _CALLED.finditer(model.when or ""):
        pattern = found[1] or found[2] or ""
        if not any(fnmatchcase(name, pattern) for name in taken):
            yield "when", f"no probe that counts is like {pattern!r}{suggest(pattern, taken)}"


def _count(which: str) -> Callable[[str], int]:
    return lambda pattern: sum(fnmatchcase(name, pattern) for name in _ASKED[which])


@lru_cache(maxsize=1)
def _environment() -> Any:
    return cel.NewEnv(
        variables={},
        functions=[
            cel.FunctionDecl(
                name, [cel.Overload(f"wk_{name}_probes", cel.Type.INT, [cel.Type.STRING], False, _count(name))]
            )
            for name in _ASKED
        ],
    )


def _compile(text: str) -> Ask:
    """The question that an expression asks.

    Raises:
        ValueError: it is none. The text says why.
    """
    try:
        with _LOCK:
            expression = _environment().compile(text)
    except RuntimeError as error:
        said = re.sub(r"^.*?<input>:\d+:\d+: | expecting \{.*", "", str(error).splitlines()[0])
        raise ValueError(f"is not valid: {said}; {_HELP}") from None
    if expression.return_type() != cel.Type.BOOL:
        raise ValueError(f"must be true or false; {_HELP}")

    @lru_cache(maxsize=4096)  # the same few states again and again
    def answer(up: tuple[str, ...], down: tuple[str, ...]) -> bool | None:
        with _LOCK:
            _ASKED["up"], _ASKED["down"] = up, down
            found = expression.eval(data={}).value()
        return bool(found) if found is True or found is False else None

    if answer((), ()) is None:
        raise ValueError(f"has no answer while no probe is up or down; {_HELP}")
    return lambda up, down: answer(tuple(sorted(up)), tuple(sorted(down)))


def places(document_problem: Callable[[tuple[str | int, ...], str], Problem], name: str) -> Place:
    """Where a service says it in a document."""
    return lambda key, message: document_problem(("services", name, "availability", key), message)


def all_mistakes(
    services: Mapping[str, Service],
    said: Mapping[str, tuple[AvailabilityModel, Place]],
    probes: Mapping[str, Probe],
) -> list[Problem]:
    """What services say of their availability that fits none of their probes."""
    own: dict[str, list[Probe]] = {}
    for probe in probes.values():
        own.setdefault(probe.service, []).append(probe)
    return [
        place(key, message)
        for name, (model, place) in said.items()
        if name in services
        for key, message in mistakes(services[name], model, own.get(name, ()))
    ]
