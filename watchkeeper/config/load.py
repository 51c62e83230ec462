"""The whole configuration, from the daemon's file and all that it names. All or nothing, all errors at once."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import escape, glob, has_magic
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from watchkeeper.config import problemmodels
from watchkeeper.config.calendarmodels import AvailabilityModel, CalendarModel
from watchkeeper.config.calendars import read_calendars
from watchkeeper.config.dependencies import find_broken_dependencies
from watchkeeper.config.description import Description, compile_description
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.knowledge import ArticleReader
from watchkeeper.config.matchernames import MatcherNames, labels_of
from watchkeeper.config.measures import Place as MeasurePlace
from watchkeeper.config.measures import all_mistakes, places, policy_of
from watchkeeper.config.models import (
    DaemonFile,
    Itsm,
    KnowledgeModel,
    LimitsModel,
    Log,
    RetentionModel,
    ServiceFile,
    ServiceModel,
)
from watchkeeper.config.planned import Planned
from watchkeeper.config.probes import ProbeReader
from watchkeeper.config.problems import ConfigError, Problem, in_order, listing, suggest
from watchkeeper.config.rules import Known, RuleReader
from watchkeeper.config.sources import Source, read_sources
from watchkeeper.config.template import TemplateError, template_problem
from watchkeeper.config.validation import validate, validate_right
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.config.warnings import Places, find_warnings
from watchkeeper.config.windows import PlanReader
from watchkeeper.domain.calendar import Calendar
from watchkeeper.domain.condition import AvailabilityPolicy
from watchkeeper.domain.knowledge import Knowledge
from watchkeeper.domain.period import parse_period
from watchkeeper.domain.service import ANY_DOWN, USUAL_HOURS, Objectives, Service
from watchkeeper.domain.ticket import TicketPolicy
from watchkeeper.domain.watch import Plan
from watchkeeper.schema.fields import Address, Secret

LOCAL_DESK = "desk"
ARTICLES = "knowledge"
"""The folder whose articles are read where the configuration names none."""

_SECRET_PARAMETERS = ("password", "sslpassword")


class BackendKind(Protocol):
    """What the configuration needs to know of a ticket backend."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> type[Any]: ...
    @property
    def publishes(self) -> Callable[[Any], bool]: ...
    @property
    def plans_changes(self) -> Callable[[Any], bool]: ...
    def policy(self, options: Any) -> TicketPolicy: ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is to configure: the types of probers and backends, by name. The finders raise KeyError."""

    prober_names: tuple[str, ...]
    find_prober: Callable[[str], ProberKind]
    backend_names: tuple[str, ...]
    find_backend: Callable[[str], BackendKind]


@dataclass(frozen=True, slots=True)
class Backend:
    """A configured ticket backend."""

    name: str
    type: str
    options: Any


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration. `files` are all that were read, `warnings` what is odd, by place."""

    path: Path
    state: str | Secret
    listen: Address
    log: Log
    limits: LimitsModel
    retention: RetentionModel
    backends: Mapping[str, Backend]
    knowledge: KnowledgeModel
    plan: Plan
    planned: Planned
    sources: Mapping[str, Source]
    token: Secret | None
    files: tuple[Path, ...]
    warnings: tuple[Problem, ...]


def load(path: Path, catalogue: Catalogue, rule_files: Sequence[str] | None = None) -> Config:
    """Reads and checks everything.

    Args:
        rule_files: absolute paths and globs, instead of those that the file names.

    Raises:
        ConfigError: with every problem that was found.
    """
    return _Loader(catalogue).load(path, rule_files)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the state of a configuration is: all that is needed to look at what is stored."""

    path: Path
    state: str | Secret


def find_state(path: Path, catalogue: Catalogue) -> Place:
    """Where the state is, whatever else is wrong with the configuration.

    Raises:
        ConfigError: the daemon's file can not be read, or `state` is what is wrong with it.
    """
    return _Loader(catalogue).find_state(path)


class _Loader:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._problems: list[Problem] = []
        self._files: list[Path] = []
        self._needs: dict[str, Problem] = {}  # where it stands what services need
        self._unread: set[str] = set()  # under which keys files are named that can not be read
        self._calendars: Mapping[str, Calendar] = {}
        self._measures: dict[str, tuple[AvailabilityModel, MeasurePlace]] = {}

    def load(self, path: Path, rule_files: Sequence[str] | None) -> Config:
        document = Document(path)
        self._files.append(path)
        daemon = validate(DaemonFile, document.data, document, problems=self._problems)
        if daemon is None:
            daemon = _what_is_right(document)
        backends, default = self._backends(document, daemon)
        self._calendars = read_calendars(document, daemon.calendars, self._problems)
        services = self._services(document, daemon)
        probes = self._probes(document, daemon, services)
        known = Known(
            None if "service_files" in self._unread else services,
            None if "probe_files" in self._unread else probes.ids,
            list(daemon.itsm.backends) or list(backends),
        )
        before_rules = len(self._problems)
        finders = self._catalogue.find_prober, self._catalogue.prober_names
        rules = RuleReader(*finders, probes.probes, known, self._problems)
        for file in self._documents(document, "rule_files", daemon.rule_files if rule_files is None else rule_files):
            rules.read(file)
        has_all_rules = len(self._problems) == before_rules
        able = {name: self._plans_changes(backend) for name, backend in backends.items()}
        named_rules = rules.places if has_all_rules and rule_files is None else None
        values = {"service": known.services, "probe": known.probes, "rule": named_rules}
        names = MatcherNames(
            {name: there for name, there in values.items() if there is not None},
            None if known.probes is None else labels_of(probes.probes.values()),
            list(daemon.sources),
        )
        plans = PlanReader(document, known.services, known.probes, self._problems, able, names)
        planned = plans.read(daemon.maintenance, daemon.changes)
        sources = read_sources(document, daemon.sources, known.services, known.backends, self._problems)
        articles = self._articles(document, daemon.knowledge, backends)
        state = self._state(document, daemon.state)
        descriptions = self._descriptions(document, daemon.itsm, backends)
        plan = Plan(
            services,
            probes.probes,
            rules.rules,
            default,
            self._policies(backends),
            descriptions,
            daemon.web.url or "",
            daemon.correlation.policy(),
            problems=problemmodels.policy(daemon.problems, rules.repeats),
            sources={name: source.policy for name, source in sources.items()},
        )
        self._problems += problemmodels.unknown_names(document, daemon.problems, named_rules, known.services)
        warnings: list[Problem] = []
        if before_rules == 0:  # else one can not say what rules look at
            places = Places(document, probes.places, rules.places)
            warnings = find_warnings(plan, places, daemon.retention.rollups, has_all_rules=has_all_rules)
            warnings = in_order(
                [
                    *warnings,
                    *plans.warnings,
                    *(articles.warnings(plan) if has_all_rules and rule_files is None else ()),
                ]
            )
        if self._problems:
            raise ConfigError(self._problems, warnings)
        return Config(
            path=path,
            state=state,
            listen=daemon.web.listen,
            log=daemon.log,
            limits=daemon.limits,
            retention=daemon.retention,
            backends=backends,
            knowledge=daemon.knowledge,
            plan=replace(plan, knowledge=Knowledge.of(articles.articles.values())),
            planned=planned,
            sources=sources,
            token=daemon.web.token,
            files=tuple(dict.fromkeys(self._files)),
            warnings=tuple(warnings),
        )

    def _plans_changes(self, backend: Backend) -> bool:
        return self._catalogue.find_backend(backend.type).plans_changes(backend.options)

    def find_state(self, path: Path) -> Place:
        """See `find_state`."""
        document = Document(path)
        wrong: list[Problem] = []
        validate(DaemonFile, document.data, document, problems=wrong)
        self._problems += [problem for problem in wrong if problem.path.partition(".")[0] == "state"]
        state = self._state(document, validate_right(DaemonFile, document.data, document, probe_files=[]).state)
        if self._problems:
            raise ConfigError(self._problems)
        return Place(path, state)

    def _probes(self, document: Document, daemon: DaemonFile, services: Mapping[str, Service]) -> ProbeReader:
        known = None if "service_files" in self._unread else services
        probes = ProbeReader(self._catalogue.find_prober, self._catalogue.prober_names, known, self._problems)
        before = len(self._problems)
        for file in self._documents(document, "probe_files", daemon.probe_files):
            probes.read(file)
        has_all_probes = len(self._problems) == before
        needs = self._needs | {f"probe {name}": place for name, place in probes.parent_places.items()}
        known_probes = None if "probe_files" in self._unread else probes.places
        self._problems += find_broken_dependencies(services, probes.probes, known_probes, needs)
        if has_all_probes:
            self._problems += all_mistakes(services, self._measures, probes.probes)
        return probes

    def _articles(
        self, document: Document, knowledge: KnowledgeModel, backends: Mapping[str, Backend]
    ) -> ArticleReader:
        folder = document.path.parent / ARTICLES
        patterns = knowledge.files
        if patterns is None:
            patterns = (f"{escape(str(folder.absolute()))}/*.md",) if next(folder.glob("*.md"), None) else ()
        articles = ArticleReader(document.path.parent, self._problems)
        for path in self._paths(document, ("knowledge", "files"), patterns):
            articles.read(path)
        if (name := knowledge.servicenow) is not None:
            backend = backends.get(name)
            if backend is None or not self._catalogue.find_backend(backend.type).publishes(backend.options):
                message = f"{name!r} is no backend that publishes articles: name one of the type servicenow"
                self._problems.append(document.problem(("knowledge", "servicenow"), message))
        return articles

    def _documents(self, document: Document, key: str, patterns: Sequence[str]) -> Iterator[Document]:
        """The files that a list of paths and globs names, each once; those that can not be read are problems."""
        for path in self._paths(document, (key,), patterns):
            try:
                yield Document(path)
            except ConfigError as error:
                self._problems.extend(error.problems)
                self._unread.add(key)

    def _paths(self, document: Document, place: Path_, patterns: Sequence[str]) -> Iterator[Path]:
        """The same, unread."""
        key = str(place[0])
        read: set[Path] = set()
        for index, pattern in enumerate(patterns):
            try:
                names = matching(pattern, document.path.parent)
            except OSError as error:
                message = f"{pattern} can not be read: {error.strerror}"
                self._problems.append(document.problem((*place, index), message))
                self._unread.add(key)
                continue
            if not names:
                self._problems.append(document.problem((*place, index), f"no file matches {pattern}"))
                self._unread.add(key)
            for path in map(Path, names):
                if path in read:
                    continue
                read.add(path)
                self._files.append(path)
                yield path

    def _state(self, document: Document, state: str | Secret) -> str | Secret:
        if isinstance(state, Secret):
            return state
        try:
            parts = urlsplit(state)
        except ValueError:
            parts = urlsplit("")
        named = {name.lower() for name, _ in parse_qsl(parts.query)}
        if parts.password is not None or not named.isdisjoint(_SECRET_PARAMETERS):
            message = "a secret does not stand in the file: give the whole URL as {env: NAME} or {file: PATH}"
            self._problems.append(document.problem(("state",), message))
        elif parts.scheme == "sqlite" and state.startswith("sqlite:///") and len(state) > len("sqlite:///"):
            file = document.path.parent / state.removeprefix("sqlite:///")
            return f"sqlite:///{file.absolute()}"
        elif parts.scheme != "postgresql" or not parts.path.strip("/"):
            self._problems.append(
                document.problem(("state",), "accepted is sqlite:///FILE or postgresql://HOST/NAME")
            )
        return state

    def _backends(self, document: Document, daemon: DaemonFile) -> tuple[dict[str, Backend], str]:
        backends: dict[str, Backend] = {}
        for name, data in daemon.itsm.backends.items():
            backend = self._backend(document, name, _inheriting(data, daemon.itsm))
            if backend is not None:
                backends[name] = backend
        if not daemon.itsm.backends:
            options = self._catalogue.find_backend("local").options.model_validate({"language": daemon.itsm.language})
            backends[LOCAL_DESK] = Backend(LOCAL_DESK, "local", options)
        default = daemon.itsm.default
        if default is None and len(daemon.itsm.backends) > 1:
            message = f"must say which of {listing(daemon.itsm.backends)} is the default"
            self._problems.append(document.problem(("itsm",), message))
        if default is not None and default not in {**daemon.itsm.backends, **backends}:
            known = list(daemon.itsm.backends) or list(backends)
            message = f"there is no backend {default!r}{suggest(default, known)}; there is {listing(known)}"
            self._problems.append(document.problem(("itsm", "default"), message))
        return backends, default or next(iter(backends), LOCAL_DESK)

    def _backend(self, document: Document, name: str, data: dict[str, Any]) -> Backend | None:
        path: Path_ = ("itsm", "backends", name)
        known = self._catalogue.backend_names
        kind_name = data.get("type")
        if kind_name is None:
            self._problems.append(document.problem(path, f"type is required; accepted: {listing(known)}"))
            return None
        try:
            kind = self._catalogue.find_backend(str(kind_name))
        except KeyError:
            message = f"there is no backend type {kind_name!r}{suggest(kind_name, known)}; accepted: {listing(known)}"
            self._problems.append(document.problem((*path, "type"), message))
            return None
        own = {key: value for key, value in data.items() if key != "type"}
        options = validate(kind.options, own, document, path, known=("type",), problems=self._problems)
        return None if options is None else Backend(name, kind.name, options)

    def _policies(self, backends: Mapping[str, Backend]) -> dict[str, TicketPolicy]:
        find = self._catalogue.find_backend
        return {name: find(backend.type).policy(backend.options) for name, backend in backends.items()}

    def _descriptions(
        self, document: Document, itsm: Itsm, backends: Mapping[str, Backend]
    ) -> dict[str, Description]:
        """Who writes the descriptions of each backend, where the configuration says how."""
        shared = None if itsm.description is None else self._description(document, ("itsm",), itsm.description)
        found: dict[str, Description | None] = dict.fromkeys(backends, shared)
        for name, data in itsm.backends.items():
            if name in backends and isinstance(text := data.get("description"), str):
                found[name] = self._description(document, ("itsm", "backends", name), text)
        return {name: description for name, description in found.items() if description is not None}

    def _description(self, document: Document, path: Path_, text: str) -> Description | None:
        try:
            return compile_description(text)
        except TemplateError as error:
            self._problems.append(template_problem(document, (*path, "description"), text, error))
            return None

    def _services(self, document: Document, daemon: DaemonFile) -> dict[str, Service]:
        services: dict[str, Service] = {}
        sources = [(document, daemon.services)]
        for file in self._documents(document, "service_files", daemon.service_files):
            model = validate(ServiceFile, file.data, file, problems=self._problems)
            sources.append((file, _right_services(file) if model is None else model.services))
        for source, models in sources:
            for name, one in models.items():
                if name in services:
                    message = f"the service {name!r} is described twice"
                    self._problems.append(source.problem(("services", name), message, key=True))
                place = places(source.problem, name)
                services[name] = service_of(
                    name, one, self._hours(source, name, one), policy_of(one.availability, place, self._problems)
                )
                self._measures[name] = one.availability, place
                self._needs[f"service {name}"] = source.problem(("services", name, "depends_on"), "")
        for source, models in sources:
            for name, one in models.items():
                self._check_dependencies(source, name, one, services)
        return services

    def _hours(self, document: Document, name: str, model: ServiceModel) -> Calendar:
        known = self._calendars
        if model.hours not in known:
            message = f"there is no calendar {model.hours!r}{suggest(model.hours, known)}; there is {listing(known)}"
            self._problems.append(document.problem(("services", name, "hours"), message))
        return known.get(model.hours, USUAL_HOURS)

    def _check_dependencies(
        self, document: Document, name: str, model: ServiceModel, services: Mapping[str, Service]
    ) -> None:
        for index, other in enumerate(model.depends_on):
            if other not in services:
                message = f"there is no service {other!r}{suggest(other, services)}"
                self._problems.append(document.problem(("services", name, "depends_on", index), message))


def _inheriting(data: dict[str, Any], itsm: Itsm) -> dict[str, Any]:
    """What stands in the file of a backend, in the language of all where it has none of its own."""
    return data if data.get("language") is not None else {**data, "language": itsm.language}


def _what_is_right(document: Document) -> DaemonFile:
    """What can be read on with of a daemon's file that has problems, so that all problems show in one run."""
    daemon = validate_right(DaemonFile, document.data, document, probe_files=[])
    itsm = validate_right(Itsm, document.data.get("itsm"), document)
    right = {"itsm": itsm, "services": _right_services(document), "calendars": _right_calendars(document)}
    return daemon.model_copy(update=right)


def _right_services(document: Document) -> dict[str, ServiceModel]:
    services = document.data.get("services")
    if not isinstance(services, dict):
        return {}
    return {name: validate_right(ServiceModel, body, document) for name, body in services.items()}


def _right_calendars(document: Document) -> dict[str, CalendarModel]:
    calendars = document.data.get("calendars")
    if not isinstance(calendars, dict):
        return {}
    return {name: validate_right(CalendarModel, body, document) for name, body in calendars.items()}


def matching(pattern: str, base: Path) -> list[str]:
    """The files of a path or glob. The folder of the file that names it is no pattern, whatever its name.

    Raises:
        OSError: what is named may not be looked at.
    """
    folder = f"{base.absolute()}/"
    if not has_magic(relative := pattern.removeprefix(folder)):
        return [pattern] if Path(pattern).exists() else []
    named = folder if relative != pattern else ""
    plain = takewhile(lambda part: not has_magic(part), Path(relative).parts)
    with suppress(FileNotFoundError, NotADirectoryError):
        os.scandir(Path(named, *plain)).close()  # glob itself would say nothing, and find nothing
    return sorted(glob(escape(named) + relative, recursive=True))


def service_of(
    name: str,
    model: ServiceModel,
    hours: Calendar = USUAL_HOURS,
    availability: AvailabilityPolicy = ANY_DOWN,
) -> Service:
    """The service that a model describes."""
    agreed = model.objectives
    return Service(
        id=name,
        title=model.title or name,
        owner=model.owner,
        criticality=model.criticality,
        ci=model.ci,
        depends_on=model.depends_on,
        objectives=Objectives(
            agreed.availability, agreed.response, agreed.resolution, tuple(map(parse_period, agreed.over))
        ),
        hours=hours,
        availability=availability,
    )
