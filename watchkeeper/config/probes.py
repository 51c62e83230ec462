"""Probe files into probes: defaults, expansion of `each`, and each prober's own keys."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.models import ProbeCommon, ProbeDefaults, ProbeFile
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.validation import validate
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.domain.probe import Cron, Every, Probe

FindProber = Callable[[str], ProberKind]
"""The prober of a name; raises KeyError."""

DEFAULT_EVERY_MS: Final = 60_000
DEFAULT_TIMEOUT_MS: Final = 10_000
MAX_COMBINATIONS: Final = 100_000

_COMMON: Final = frozenset(ProbeCommon.model_fields)


@dataclass(slots=True)
class ProbeReader:
    """Reads probe files one after the other; ids are unique over all of them."""

    find_prober: FindProber
    prober_names: tuple[str, ...]
    services: Mapping[str, Any]
    problems: list[Problem]
    probes: dict[str, Probe] = field(default_factory=dict)
    _places: dict[str, Problem] = field(default_factory=dict)

    def read(self, document: Document) -> None:
        """Adds the probes of a file."""
        file = validate(ProbeFile, document.data, document, problems=self.problems)
        if file is None:
            return
        defaults = document.data.get("defaults") or {}
        for index, raw in enumerate(file.probes):
            path: Path_ = ("probes", index)
            for expanded in self._expand(document, path, raw):
                self._read_one(document, path, _with_defaults(defaults, expanded), file.defaults)

    def _expand(self, document: Document, path: Path_, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        lists = raw.get("each")
        if not isinstance(lists, dict) or not all(isinstance(values, list) and values for values in lists.values()):
            yield raw  # what is wrong with it is said by the model
            return
        total = 1
        for values in lists.values():
            total *= len(values)
        if total > MAX_COMBINATIONS:
            message = f"makes {total} probes; accepted are up to {MAX_COMBINATIONS}"
            self.problems.append(document.problem((*path, "each"), message))
            return
        if total > 1 and not any("{" + str(name) + "}" in str(raw.get("id")) for name in lists):
            message = f"must hold {{{next(iter(lists))}}}, or the probes that `each` makes have one id"
            self.problems.append(document.problem((*path, "id"), message))
            return
        body = {key: value for key, value in raw.items() if key != "each"}
        for combination in product(*lists.values()):
            names = {str(name): str(value) for name, value in zip(lists, combination, strict=True)}
            yield _substitute(body, names)

    def _read_one(self, document: Document, path: Path_, raw: dict[str, Any], defaults: ProbeDefaults) -> None:
        name = raw.get("prober")
        kind = self._kind(document, path, name)
        common_data = {key: value for key, value in raw.items() if key in _COMMON}
        common = validate(ProbeCommon, common_data, document, path, problems=self.problems)
        if kind is None:
            return
        own_data = {key: value for key, value in raw.items() if key not in _COMMON}
        options = validate(kind.options, own_data, document, path, known=_COMMON, problems=self.problems)
        if common is not None and options is not None:
            self._add(document, path, common, kind, options, defaults)

    def _kind(self, document: Document, path: Path_, name: object) -> ProberKind | None:
        if not isinstance(name, str):
            return None  # missing or no text: said by the model
        try:
            return self.find_prober(name)
        except KeyError:
            known = self.prober_names
            message = f"there is no prober {name!r}{suggest(name, known)}; accepted: {listing(known, 40)}"
            self.problems.append(document.problem((*path, "prober"), message))
            return None

    def _add(
        self,
        document: Document,
        path: Path_,
        common: ProbeCommon,
        kind: ProberKind,
        options: Any,
        defaults: ProbeDefaults,
    ) -> None:
        if common.service not in self.services:
            known = list(self.services)
            message = (
                f"there is no service {common.service!r}{suggest(common.service, known)}; there is {listing(known)}"
            )
            self.problems.append(document.problem((*path, "service"), message))
        if (other := self._places.get(common.id)) is not None:
            where = f"{other.file}:{other.line}:{other.column}"
            self.problems.append(
                document.problem((*path, "id"), f"the id {common.id!r} is taken by the probe at {where}")
            )
            return
        if common.timezone is not None and common.cron is None and defaults.timezone is None:
            self.problems.append(document.problem((*path, "timezone"), "belongs to cron, and there is none"))
        schedule: Every | Cron
        if common.cron is not None:
            schedule = Cron(common.cron, common.timezone or "UTC")
        else:
            schedule = Every(DEFAULT_EVERY_MS if common.every is None else common.every)
        timeout_ms = self._timeout(document, path, common, schedule)
        self._places[common.id] = document.problem((*path, "id"), "")
        self.probes[common.id] = Probe(
            id=common.id,
            prober=kind.name,
            service=common.service,
            category=common.category or kind.category,
            schedule=schedule,
            timeout_ms=timeout_ms,
            options=options,
            labels=common.labels,
        )

    def _timeout(self, document: Document, path: Path_, common: ProbeCommon, schedule: Every | Cron) -> int:
        if isinstance(schedule, Cron):
            return DEFAULT_TIMEOUT_MS if common.timeout is None else common.timeout
        if common.timeout is not None and common.timeout > schedule.interval_ms:
            message = "is longer than every: a run must end before the next begins"
            self.problems.append(document.problem((*path, "timeout"), message))
        return min(DEFAULT_TIMEOUT_MS, schedule.interval_ms) if common.timeout is None else common.timeout


def _with_defaults(defaults: Mapping[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """A probe with what it does not say itself. Labels add up; a schedule of its own replaces the default one."""
    own_schedule = {"every", "cron"} & raw.keys()
    given = {key: value for key, value in defaults.items() if not (own_schedule and key in ("every", "cron"))}
    merged = {**given, **raw}
    if isinstance(given.get("labels"), dict) and isinstance(raw.get("labels"), dict):
        merged["labels"] = {**given["labels"], **raw["labels"]}
    return merged


def _substitute(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {key: _substitute(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, names) for item in value]
    return value
