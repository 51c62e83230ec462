"""The whole configuration, from the daemon's file and all that it names. All or nothing, all errors at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.models import DaemonFile, Log, ServiceFile, ServiceModel
from watchkeeper.config.probes import ProbeReader
from watchkeeper.config.problems import ConfigError, Problem, listing, suggest
from watchkeeper.config.rules import RuleReader
from watchkeeper.config.validation import validate
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.domain.service import Objectives, Service
from watchkeeper.domain.watch import Plan
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import Address, Secret

LOCAL_DESK = "desk"


class BackendKind(Protocol):
    """What the configuration needs to know of a ticket backend."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> type[Model]: ...


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
    """A valid configuration. `files` are all that were read."""

    path: Path
    state: str | Secret
    listen: Address
    log: Log
    backends: Mapping[str, Backend]
    plan: Plan
    files: tuple[Path, ...]


def load(path: Path, catalogue: Catalogue) -> Config:
    """Reads and checks everything.

    Raises:
        ConfigError: with every problem that was found.
    """
    return _Loader(catalogue).load(path)


class _Loader:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._problems: list[Problem] = []
        self._files: list[Path] = []

    def load(self, path: Path) -> Config:
        document = Document(path)
        self._files.append(path)
        daemon = validate(DaemonFile, document.data, document, problems=self._problems)
        if daemon is None:
            raise ConfigError(self._problems)
        backends, default = self._backends(document, daemon)
        services = self._services(document, daemon)
        probes = ProbeReader(self._catalogue.find_prober, self._catalogue.prober_names, services, self._problems)
        for file in self._documents(document, "probe_files", daemon.probe_files):
            probes.read(file)
        rules = RuleReader(
            self._catalogue.find_prober,
            self._catalogue.prober_names,
            probes.probes,
            services,
            backends,
            self._problems,
        )
        for file in self._documents(document, "rule_files", daemon.rule_files):
            rules.read(file)
        state = self._state(document, daemon.state)
        if self._problems:
            raise ConfigError(self._problems)
        return Config(
            path=path,
            state=state,
            listen=daemon.web.listen,
            log=daemon.log,
            backends=backends,
            plan=Plan(services, probes.probes, rules.rules, default),
            files=tuple(self._files),
        )

    def _documents(self, document: Document, key: str, patterns: tuple[str, ...]) -> Iterator[Document]:
        """The files that a list of paths and globs names, each once; those that can not be read are problems."""
        for index, pattern in enumerate(patterns):
            found = sorted(glob(pattern, recursive=True)) if has_magic(pattern) else [pattern]
            if not found:
                message = f"no file matches {pattern}"
                self._problems.append(document.problem((key, index), message))
            for name in found:
                path = Path(name)
                if path in self._files:
                    continue
                self._files.append(path)
                if not has_magic(pattern) and not path.exists():
                    self._problems.append(document.problem((key, index), f"there is no file {path}"))
                    continue
                try:
                    yield Document(path)
                except ConfigError as error:
                    self._problems.extend(error.problems)

    def _state(self, document: Document, state: str | Secret) -> str | Secret:
        if isinstance(state, Secret):
            return state
        parts = urlsplit(state)
        if parts.password is not None:
            message = "a secret does not stand in the file: give the whole URL as {env: NAME} or {file: PATH}"
            self._problems.append(document.problem(("state",), message))
        if parts.scheme == "sqlite" and state.startswith("sqlite:///") and len(state) > len("sqlite:///"):
            file = document.path.parent / state.removeprefix("sqlite:///")
            return f"sqlite:///{file.absolute()}"
        if parts.scheme == "postgresql" and parts.path.strip("/"):
            return state
        self._problems.append(document.problem(("state",), "accepted is sqlite:///FILE or postgresql://HOST/NAME"))
        return state

    def _backends(self, document: Document, daemon: DaemonFile) -> tuple[dict[str, Backend], str]:
        backends: dict[str, Backend] = {}
        for name, data in daemon.itsm.backends.items():
            backend = self._backend(document, name, data)
            if backend is not None:
                backends[name] = backend
        if not daemon.itsm.backends:
            options = self._catalogue.find_backend("local").options.model_validate({})
            backends[LOCAL_DESK] = Backend(LOCAL_DESK, "local", options)
        default = daemon.itsm.default
        if default is None and len(daemon.itsm.backends) > 1:
            message = f"must say which of {listing(backends)} is the default"
            self._problems.append(document.problem(("itsm",), message))
        if default is not None and default not in daemon.itsm.backends and default not in backends:
            message = f"there is no backend {default!r}{suggest(default, backends)}; there is {listing(backends)}"
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

    def _services(self, document: Document, daemon: DaemonFile) -> dict[str, Service]:
        services: dict[str, Service] = {}
        sources = [(document, daemon.services)]
        sources += [
            (file, model.services)
            for file in self._documents(document, "service_files", daemon.service_files)
            if (model := validate(ServiceFile, file.data, file, problems=self._problems)) is not None
        ]
        for source, models in sources:
            for name, one in models.items():
                if name in services:
                    message = f"the service {name!r} is described twice"
                    self._problems.append(source.problem(("services", name), message, key=True))
                services[name] = _service(name, one)
        for source, models in sources:
            for name, one in models.items():
                self._check_dependencies(source, name, one, services)
        return services

    def _check_dependencies(
        self, document: Document, name: str, model: ServiceModel, services: Mapping[str, Service]
    ) -> None:
        for index, other in enumerate(model.depends_on):
            if other not in services:
                message = f"there is no service {other!r}{suggest(other, services)}"
                self._problems.append(document.problem(("services", name, "depends_on", index), message))


def _service(name: str, model: ServiceModel) -> Service:
    agreed = model.objectives
    return Service(
        id=name,
        title=model.title or name,
        owner=model.owner,
        criticality=model.criticality,
        ci=model.ci,
        depends_on=model.depends_on,
        objectives=Objectives(agreed.availability, agreed.response, agreed.resolution),
    )
