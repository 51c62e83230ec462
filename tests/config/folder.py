"""A folder of configuration files, as a user would write them, and what loading it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watchkeeper import itsm, probers
from watchkeeper.config.load import Catalogue, Config, load
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.domain.probe import Category, FactType
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, SecretRef, SizeBytes


class DiskOptions(Model):
    path: LocalPath
    """Where it is mounted."""


class DumpOptions(Model):
    path: LocalPath
    """The files, as a glob."""
    min_size: SizeBytes = 0
    """How large the newest must be."""
    password: SecretRef | None = None
    """What the files are locked with."""


@dataclass(frozen=True)
class FakeKind:
    """A prober kind of which only the configuration's side is needed."""

    name: str
    category: Category
    options: type[Model]
    values: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, tuple[FactType, str]] = field(default_factory=dict)
    host: Callable[[Any], str] = lambda _: ""
    open_values: str = ""


VOLUME: Final = FakeKind(
    "volume", Category.CAPACITY, DiskOptions, {"used_percent": "percent", "free_bytes": "bytes"}, {}
)
DUMP: Final = FakeKind(
    "dump",
    Category.BACKUP,
    DumpOptions,
    {"size_bytes": "bytes"},
    {
        "last_backup": (FactType.TIME, "when"),
        "file": (FactType.TEXT, "which"),
        "locked": (FactType.BOOLEAN, "whether"),
    },
)
FAKES: Final = {"volume": VOLUME, "dump": DUMP}


def find_prober(name: str) -> ProberKind:
    return FAKES[name] if name in FAKES else probers.find(name)


CATALOGUE: Final = Catalogue(
    tuple(sorted(("http", *FAKES))), find_prober, tuple(name for name in itsm.names() if name == "local"), itsm.find
)

DAEMON: Final = """\
probe_files: [probes.yaml]
rule_files: [rules.yaml]
services:
  shop: {}
"""
PROBES: Final = """\
probes:
  - id: home
    prober: http
    service: shop
    url: https://shop.example/
"""
RULES: Final = """\
groups:
  - name: all
    rules:
      - id: down
        match: {prober: http}
        when: status == "down"
"""


class Folder:
    """Holds a valid configuration until a file of it is written anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("watchkeeper.yaml", DAEMON)
        self.write("probes.yaml", PROBES)
        self.write("rules.yaml", RULES)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self) -> Config:
        return load(self.path / "watchkeeper.yaml", CATALOGUE)

    def problems(self) -> list[str]:
        """What loading says, with file names as seen from the folder. Empty when all is well."""
        try:
            self.load()
        except ConfigError as error:
            told = error
        else:
            return []
        said = str(told).splitlines()
        assert said == [str(problem) for problem in told.problems], "one line each"
        return [line.replace(f"{self.path}/", "") for line in said]

    def problem(self) -> str:
        """The only thing that is wrong."""
        [problem] = self.problems()
        return problem
