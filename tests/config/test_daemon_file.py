"""`watchkeeper.yaml`: what is accepted, and what is said of mistakes."""

from pathlib import Path

import pytest

from tests.config.folder import DAEMON, PROBES, RULES, Folder
from watchkeeper.config.load import Backend
from watchkeeper.domain.service import Criticality, Objectives, Service
from watchkeeper.schema.fields import Address, Secret


def test_a_small_configuration_gets_what_is_usual(folder: Folder) -> None:
    config = folder.load()
    assert config.state == f"sqlite:///{folder.path}/watchkeeper.db"
    assert config.listen == Address("127.0.0.1", 9321)
    assert [(one.name, one.type) for one in config.backends.values()] == [("desk", "local")]
    assert config.plan.default_backend == "desk"
    assert config.plan.services == {"shop": Service("shop", "shop")}
    assert [path.name for path in config.files] == ["watchkeeper.yaml", "probes.yaml", "rules.yaml"]


def test_all_that_is_said_of_a_service_is_taken_over(folder: Folder) -> None:
    text = """\
probe_files: []
service_files: [more/*.yaml]
services:
  shop:
    title: Web shop
    owner: team-web
    criticality: high
    ci: CI0042
    depends_on: [db]
    objectives: {availability: 99.95%, response: 15m, resolution: 4h}
"""
    folder.write("watchkeeper.yaml", text)
    folder.write("more/db.yaml", "services: {db: {title: Database}}\n")
    services = folder.load().plan.services
    agreed = Objectives(999_500, 900_000, 14_400_000)
    assert services["shop"] == Service("shop", "Web shop", "team-web", Criticality.HIGH, "CI0042", ("db",), agreed)
    assert services["db"].title == "Database"


def test_what_is_kept_is_kept_for_as_long_as_is_said(folder: Folder) -> None:
    usual = folder.load().retention
    folder.write("watchkeeper.yaml", f"{DAEMON}retention: {{rollups: 2d, audit: 2y}}\n")
    said = folder.load().retention

    day_ms = 86_400_000
    assert (usual.rollups, usual.incidents, usual.audit) == (400 * day_ms, 3 * 365 * day_ms, 400 * day_ms)
    assert (said.rollups, said.incidents, said.audit) == (2 * day_ms, 3 * 365 * day_ms, 730 * day_ms)


def test_paths_and_globs_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "odd [1] *name")
    folder.write("watchkeeper.yaml", DAEMON.replace("[probes.yaml]", "['p/**/*.yaml', ./probes.yaml, probes.yaml]"))
    folder.write("p/one.yaml", PROBES.replace("home", "one"))
    folder.write("p/deep/two.yaml", PROBES.replace("home", "two"))
    assert list(folder.load().plan.probes) == ["two", "one", "home"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lgo: {level: info}", ("5:1: lgo: unknown key (did you mean 'log'?); accepted: calendars, changes, "
         "correlation, itsm, knowledge, limits, log, maintenance, probe_files, problems, retention, rule_files, "
         "service_files, services, sources, state, web")),
        ("log: {lvl: info}", "5:7: log.lvl: unknown key (did you mean 'level'?); accepted: format, level"),
        ("log: {level: warn}", ("5:14: log.level: 'warn' is not accepted (did you mean 'warning'?): "
         "one of debug, info, warning, error")),
        ("web: {listen: 9321}", "5:15: web.listen: 9321 is not an address: accepted is host:port or [::1]:port"),
        ("web: {listen: '::1:80'}", ("5:15: web.listen: '::1:80' is not an address: an IPv6 address stands in "
         "brackets, "
         "[::1]:443")),
        ("retention: {rollups: 47h}", "5:22: retention.rollups: must be at least 2d"),
        ("retention: {incidents: 90}", ("5:24: retention.incidents: 90 has no unit: accepted is a duration with its "
         "unit, such as 30s, 5m, 4h, 30d or 1h30m")),
        ("web: []", "5:6: web: must be a mapping (key: value)"),
        ("itsm: {default: dsk}", ("5:17: itsm.default: there is no backend 'dsk' (did you mean 'desk'?); there is "
         "desk")),
        ("itsm: {backends: {a: {type: locl}}}", ("5:29: itsm.backends.a.type: there is no backend type 'locl' "
         "(did you mean 'local'?); accepted: local")),
        ("itsm: {backends: {a: {}}}", "5:22: itsm.backends.a: type is required; accepted: local"),
        ("itsm: {backends: {a: {type: local, tpye: b}}}", ("5:36: itsm.backends.a.tpye: unknown key "
         "(did you mean 'type'?); accepted: auto_resolve, certain_after, description, index_lag, language, rate, "
         "reopen_after, reopen_within, sweep, sync, type")),
        ("itsm: {backends: {a: {type: local}, b: {type: local}}}", ("5:7: itsm: must say which of a, b is the "
         "default")),
        ("service_files: [none/*.yaml]", "5:17: service_files[0]: no file matches none/*.yaml"),
        (f"service_files: [{'x' * 300}.yaml]", (f"5:17: service_files[0]: {'x' * 300}.yaml can not be read: "
         "File name too long")),
        (f"service_files: ['{'x' * 300}/*.yaml']", (f"5:17: service_files[0]: {'x' * 300}/*.yaml can not be read: "
         "File name too long")),
        ("service_files: ['.']", ".:1:1: is a directory; a file is expected"),
        ("service_files: ['']", "5:17: service_files[0]: must be a path"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(folder: Folder, line: str, said: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}{line}\n")
    assert folder.problem().removeprefix("watchkeeper.yaml:").replace(f"{folder.path}:", ".:") == said


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("shop: {objectives: {availability: 99.9}}", ("4:37: services.shop.objectives.availability: 99.9 has no "
         "unit: "
         "accepted is a ratio in percent, such as 99.9%")),
        ("shop: {objectives: {response: 15 min}}", ("4:33: services.shop.objectives.response: '15 min' is not a "
         "duration: "
         "accepted is a duration with its unit, such as 30s, 5m, 4h, 30d or 1h30m")),
        ("shop: {objectives: {resolution: 4}}", ("4:35: services.shop.objectives.resolution: 4 has no unit: "
         "accepted is a duration with its unit, such as 30s, 5m, 4h, 30d or 1h30m")),
        ("shop: {depends_on: [db, shpo]}\n  db: {}", ("4:27: services.shop.depends_on[1]: there is no service 'shpo' "
         "(did you mean 'shop'?)")),
        ("shop: {critcality: low}", ("4:10: services.shop.critcality: unknown key (did you mean 'criticality'?); "
         "accepted: availability, ci, criticality, depends_on, hours, objectives, owner, title")),
        ("shop: {}\n  a b: {}", ("5:3: services.a b: 'a b' is not accepted: it must match "
         "^[A-Za-z0-9][A-Za-z0-9._:@/-]*$")),
    ],
)  # fmt: skip
def test_a_mistake_in_a_service_is_found(folder: Folder, services: str, said: str) -> None:
    folder.write(
        "watchkeeper.yaml", f"probe_files: [probes.yaml]\nservices:\n\n  {services}\n".replace("\n\n", "\n#\n")
    )
    assert folder.problem() == f"watchkeeper.yaml:{said}"


def test_a_service_is_described_once(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + "service_files: [more.yaml]\n")
    folder.write("more.yaml", "services:\n  other: {}\n  shop: {}\n")
    assert folder.problem() == "more.yaml:3:3: services.shop: the service 'shop' is described twice"


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("sqlite:////var/lib/w.db", "sqlite:////var/lib/w.db"),
        ("postgresql://db.example/watch?sslmode=require", "postgresql://db.example/watch?sslmode=require"),
        ("{env: DATABASE}", Secret("env", "DATABASE")),
    ],
)
def test_the_database_is_a_file_a_server_or_a_secret(folder: Folder, state: str, kept: object) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}state: {state}\n")
    assert folder.load().state == kept


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("postgresql://w:hunter2@db/watch", ("a secret does not stand in the file: give the whole URL as {env: NAME} "
         "or {file: PATH}")),
        ("postgresql://db/watch?password=hunter2", ("a secret does not stand in the file: give the whole URL as "
         "{env: NAME} "
         "or {file: PATH}")),
        ("postgresql://w:hunter2@[db/watch", "accepted is sqlite:///FILE or postgresql://HOST/NAME"),
        ("mysql://db/watch", "accepted is sqlite:///FILE or postgresql://HOST/NAME"),
        ("'sqlite:///'", "accepted is sqlite:///FILE or postgresql://HOST/NAME"),
        ("postgresql://db", "accepted is sqlite:///FILE or postgresql://HOST/NAME"),
        ("{vault: hunter2}", ("must say where the secret is kept: accepted is {env: NAME}, {file: PATH} or "
         "{credential: NAME}")),
        ("3", "must say where the secret is kept: accepted is {env: NAME}, {file: PATH} or {credential: NAME}"),
    ],
)  # fmt: skip
def test_a_database_that_can_not_be_is_refused_without_telling_its_password(
    folder: Folder, state: str, said: str
) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}state: {state}\n")
    problem = folder.problem()
    assert problem == f"watchkeeper.yaml:5:8: state: {said}"
    assert "hunter2" not in problem


def test_a_configured_backend_is_the_default_when_it_is_the_only_one(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + "itsm: {backends: {help: {type: local}}}\n")
    config = folder.load()
    assert config.plan.default_backend == "help"
    assert isinstance(config.backends["help"], Backend)


def test_all_mistakes_of_all_files_are_told_in_one_run_in_order(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("{}", "{owner: 3}") + "log: {level: loud}\nextra: 1\n")
    folder.write("probes.yaml", f"defaults: {{every: 5}}\n{PROBES}    methd: GET\n" + PROBES.partition("\n")[2])
    folder.write("rules.yaml", RULES + "      - {id: down, when: 'statsu == \"up\"'}\n      - {id: slow}\n")
    starts = [line.partition(": ")[0] + ": " + line.split(": ")[1] for line in folder.problems()]
    assert starts == [
        "probes.yaml:1:19: defaults.every",
        "probes.yaml:7:5: probes[home].methd",
        "probes.yaml:8:9: probes[home].id",
        "rules.yaml:7:14: groups[0].rules[down].id",
        "rules.yaml:8:9: groups[0].rules[slow].when",
        "watchkeeper.yaml:4:17: services.shop.owner",
        "watchkeeper.yaml:5:14: log.level",
        "watchkeeper.yaml:6:1: extra",
    ]


def test_what_follows_from_another_mistake_is_not_told(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("shop: {}", "other: {}") + "service_files: [more.yaml]\n")
    folder.write("more.yaml", "services: {shop: {}\n")
    folder.write("probes.yaml", PROBES + "    evry: 3s\n")
    folder.write("rules.yaml", RULES.replace("{prober: http}", "{probe: home, service: shop, prober: http}"))
    said = folder.problems()
    assert [line.split(": ")[0] for line in said] == ["more.yaml:2:1", "probes.yaml:6:5"]


def test_names_are_not_doubted_where_a_probe_file_can_not_be_read(folder: Folder) -> None:
    folder.write("probes.yaml", "probes: [\n")
    folder.write("rules.yaml", RULES.replace("{prober: http}", "{probe: home}"))
    assert [line.split(": ")[0] for line in folder.problems()] == ["probes.yaml:2:1"]
