"""Probe files into probes: defaults, expansion of `each`, and each prober's own keys."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.models import Each, ProbeCommon, ProbeDefaults, ProbeFile
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.validation import right_part, validate, validate_right
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.domain.probe import NOTHING, Cron, Every, Probe
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.schema.kinds import Broken

FindProber = Callable[[str], ProberKind]
"""The prober of a name; raises KeyError."""

DEFAULT_EVERY_MS: Final = 60_000
DEFAULT_TIMEOUT_MS: Final = 10_000
MAX_COMBINATIONS: Final = 100_000

_EACH: Final = TypeAdapter(Each)
_COMMON: Final = frozenset(ProbeCommon.model_fields)


@dataclass(slots=True)
class ProbeReader:
    """Reads probe files one after the other; ids are unique over all of them."""

    find_prober: FindProber
    prober_names: tuple[str, ...]
    services: Mapping[str, Any] | None
    """`None`: not all could be read."""
    problems: list[Problem]
    probes: dict[str, Probe] = field(default_factory=dict)
    places: dict[str, Problem] = field(default_factory=dict)
    """Where each probe's id stands."""
    parent_places: dict[str, Problem] = field(default_factory=dict)
    """Where its parents do, if it has any."""

    def read(self, document: Document) -> None:
        """Adds the probes of a file."""
        file = validate(ProbeFile, document.data, document, problems=self.problems)
        if file is None:  # its probes may have problems of their own
            file = validate_right(ProbeFile, document.data, document, probes=[])
            defaults = right_part(ProbeDefaults, document.data.get("defaults"), document)
        else:
            defaults = document.data.get("defaults", {})
        for index, raw in enumerate(file.probes):
            path: Path_ = ("probes", index)
            for expanded in self._expand(document, path, raw):
                self._read_one(document, path, expanded, defaults)

    @property
    def ids(self) -> Collection[str]:
        """Of all probes, those with problems too."""
        return self.places.keys()

    def _expand(self, document: Document, path: Path_, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            lists = _EACH.validate_python(raw.get("each"))
        except ValidationError:
            yield raw  # what is wrong with it is said by the model
            return
        total = prod(map(len, lists.values()))
        if total > MAX_COMBINATIONS:
            message = f"makes {total} probes; accepted are up to {MAX_COMBINATIONS}"
            self.problems.append(document.problem((*path, "each"), message))
            return
        for name, values in lists.items():
            if len(values) > 1 and isinstance(raw.get("id"), str) and f"{{{name}}}" not in raw["id"]:
                message = f"must hold {{{name}}}, or several of the probes that `each` makes have one id"
                self.problems.append(document.problem((*path, "id"), message))
                return
        body = {key: value for key, value in raw.items() if key != "each"}
        for combination in product(*lists.values()):
            names = {name: str(value) for name, value in zip(lists, combination, strict=True)}
            yield _substitute(body, names)

    def _read_one(self, document: Document, path: Path_, own: dict[str, Any], defaults: Mapping[str, Any]) -> None:
        raw = _with_defaults(defaults, own)
        is_new = self._note_id(document, path, raw.get("id"))
        kind = self._kind(document, path, raw.get("prober"))
        common_data = {key: value for key, value in raw.items() if key in _COMMON}
        common = validate(ProbeCommon, common_data, document, path, problems=self.problems)
        if common is not None:
            self._check_service(document, path, common.service, own)
        if kind is None:
            return
        own_data = {key: value for key, value in raw.items() if key not in _COMMON}
        options = validate(kind.options, own_data, document, path, known=_COMMON, problems=self.problems)
        if common is None:
            return
        schedule, timeout_ms = self._schedule(document, path, common, own)
        if is_new and options is not None:
            self.probes[common.id] = Probe(
                id=common.id,
                prober=kind.name,
                service=common.service,
                category=common.category or kind.category,
                schedule=schedule,
                timeout_ms=timeout_ms,
                options=options,
                labels=common.labels or NOTHING,
                host=kind.host(options),
                parents=common.parents,
                critical=common.critical is not False,
            )
            if common.parents:
                self.parent_places[common.id] = document.problem(_origin("parents", path, own), "")

    def _note_id(self, document: Document, path: Path_, name: object) -> bool:
        """Whether no other probe has the id."""
        if not isinstance(name, str):
            return False  # said by the model
        if (other := self.places.get(name)) is not None:
            where = f"{other.file}:{other.line}:{other.column}"
            message = f"the id {name!r} is taken by the probe at {where}"
            self.problems.append(document.problem((*path, "id"), message))
            return False
        self.places[name] = document.problem((*path, "id"), "")
        return True

    def _check_service(self, document: Document, path: Path_, name: str, own: Mapping[str, Any]) -> None:
        known = self.services
        if known is not None and name not in known:
            message = f"there is no service {name!r}{suggest(name, known)}; there is {listing(known)}"
            self.problems.append(document.problem(_origin("service", path, own), message))

    def _kind(self, document: Document, path: Path_, name: object) -> ProberKind | None:
        if not isinstance(name, str):
            return None  # missing or no text: said by the model
        try:
            return self.find_prober(name)
        except Broken as broken:
            self.problems.append(document.problem((*path, "prober"), broken.why))
            return None
        except KeyError:
            known = self.prober_names
            message = f"there is no prober {name!r}{suggest(name, known)}; accepted: {listing(known, 40)}"
            self.problems.append(document.problem((*path, "prober"), message))
            return None

    def _schedule(
        self, document: Document, path: Path_, common: ProbeCommon, own: Mapping[str, Any]
    ) -> tuple[Every | Cron, int]:
        """When the probe runs, and how long a run may take (ms)."""
        if common.cron is not None:
            timeout_ms = DEFAULT_TIMEOUT_MS if common.timeout is None else common.timeout
            return Cron(common.cron, common.timezone or "UTC"), timeout_ms
        if "timezone" in own:
            self.problems.append(document.problem((*path, "timezone"), "belongs to cron, and there is none"))
        every_ms = DEFAULT_EVERY_MS if common.every is None else common.every
        if common.timeout is None:
            return Every(every_ms), min(DEFAULT_TIMEOUT_MS, every_ms)
        if common.timeout > every_ms:
            every = format_duration_ms(every_ms)
            message = f"is longer than every ({every}): a run must end before the next begins"
            self.problems.append(document.problem(_origin("timeout", path, own), message))
        return Every(every_ms), common.timeout


def _origin(key: str, path: Path_, own: Mapping[str, Any]) -> Path_:
    """Where a probe has a value from: itself or the defaults."""
    return (*path, key) if key in own else ("defaults", key)


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
