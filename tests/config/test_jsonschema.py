"""The JSON Schemas: they accept what the loader accepts, and mark the mistakes that an editor can know of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.config.folder import CATALOGUE, DAEMON, PROBES, RULES, Folder
from watchkeeper import itsm, probers
from watchkeeper.config.document import Document
from watchkeeper.config.jsonschema import schemas
from watchkeeper.config.load import Catalogue

SCHEMAS: Final = schemas(CATALOGUE)


def marks(file: str, data: object) -> list[str]:
    """What a validator marks in the data of a file: the places."""
    errors = Draft202012Validator(SCHEMAS[file]).iter_errors(data)
    return [error.json_path for error in errors]


def read(text: str, tmp_path: Path) -> object:
    path = tmp_path / "one.yaml"
    path.write_text(text)
    return Document(path).data


EVERYTHING: Final = {
    "watchkeeper": """\
state: {env: DATABASE}
probe_files: [probes.yaml]
rule_files: [rules.yaml]
service_files: [services.yaml]
web: {listen: '[::1]:9321'}
log: {format: json, level: debug}
itsm: {default: desk, backends: {desk: {type: local}, other: {type: local}}}
services:
  shop: {title: Web shop, owner: a, criticality: high, ci: C, depends_on: [db],
    objectives: {availability: 99.95%, response: 15m, resolution: 1h30m}}
""",
    "probes": """\
defaults: {every: 30s, timeout: 5s, service: shop, labels: {env: prod}, category: health}
probes:
  - id: home
    prober: http
    url: https://a/
    expect: {status: [200, 301], body: {contains: x}, json: {a: [1]}, within: 2s}
  - id: two
    prober: http
    url: https://a/
    method: HEAD
    headers: {Accept: x, Authorization: {env: TOKEN}}
    verify: ca.pem
  - id: three
    prober: http
    url: https://a/
    cron: 30 6 * * mon-fri
    timezone: UTC
    max_size: 1.5MiB
    keep_alive: true
  - {id: root, prober: volume, service: db, path: /, category: ~, each: ~}
  - {id: dump, prober: dump, path: '*.gz', min_size: 1GiB, password: {file: key}, every: 1h}
  - id: "{env}-{n}"
    prober: "{kind}"
    each: {env: [a, b], n: [5, 7], kind: [http], how: [GET]}
    service: "s{env}"
    url: https://{env}/
    method: "{how}"
    every: "{n}s"
    timeout: "{n}s"
    expect: {status: ["20{n}"]}
    labels: {env: "{env}"}
  - {id: "v{n}", prober: dump, each: {n: [1]}, path: "/{n}", min_size: "{n}B"}
""",
    "rules": """\
groups:
  - name: all
    rules:
      - {id: a, when: up}
      - id: b
        title: "{{ probe.id }}"
        match: {category: health, prober: http, service: s*, probe: home, labels: {env: prod}}
        when: status == "down"
        for: 2m
        keep_firing_for: 0s
        severity: critical
        incident: {impact: high, urgency: ~, group_by: [service, env], backend: desk}
        runbook: https://wiki/
""",
    "services": "services: {db: {}, a: {title: a}, b: {}, sa: {}, sb: {}}\n",
    "changes": """\
timezone: Asia/Shanghai
changes:
  - {id: CHG1, services: [a], from: 2026-11-28 22:00, to: 2026-11-29 02:00}
  - id: CHG2
    title: Disks
    cis: [CI7]
    probes: ["db-*"]
    from: 2026-11-28T22:00+08:00
    to: 2026-11-29T02:00+08:00
    timezone: UTC
    state: under_way
    outcome: with_issues
""",
}


def test_what_the_loader_accepts_of_everything_there_is_is_accepted(folder: Folder, tmp_path: Path) -> None:
    for file, text in EVERYTHING.items():
        folder.write(f"{file}.yaml", text)
    assert folder.problems() == []
    for file in EVERYTHING:
        assert marks(file, Document(tmp_path / f"{file}.yaml").data) == []


@pytest.mark.parametrize(
    ("file", "text"), [("watchkeeper", DAEMON), ("probes", PROBES), ("rules", RULES), ("probes", "probes: []\n")]
)
def test_a_small_file_is_accepted(file: str, text: str, tmp_path: Path) -> None:
    assert marks(file, read(text, tmp_path)) == []


HTTP: Final = "id: a, prober: http, service: s, url: https://a/"


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("watchkeeper", "{probe_files: [], lgo: {}}", "$"),
        ("watchkeeper", "{}", "$"),
        ("watchkeeper", "{probe_files: a}", "$.probe_files"),
        ("watchkeeper", "{probe_files: [], log: {level: warn}}", "$.log.level"),
        ("watchkeeper", "{probe_files: [], itsm: {backends: {a: {}}}}", "$.itsm.backends.a"),
        ("watchkeeper", "{probe_files: [], itsm: {backends: {a: {type: locl}}}}", "$.itsm.backends.a.type"),
        ("watchkeeper", "{probe_files: [], itsm: {backends: {a: {type: local, x: y}}}}", "$.itsm.backends.a"),
        ("watchkeeper", "{probe_files: [], services: {a: {objectives: {availability: 99.9}}}}",
         "$.services.a.objectives.availability"),
        ("watchkeeper", "{probe_files: [], services: {a b: {}}}", "$.services"),
        ("probes", "{}", "$"),
        ("probes", f"{{probes: [{{{HTTP}, evry: 3s}}]}}", "$.probes[0]"),
        ("probes", f"{{probes: [{{{HTTP}, every: 3}}]}}", "$.probes[0].every"),
        ("probes", f"{{probes: [{{{HTTP}, every: 3 s}}]}}", "$.probes[0].every"),
        ("probes", f"{{probes: [{{{HTTP}, every: '{{n}}s'}}]}}", "$.probes[0].every"),
        ("probes", f"{{probes: [{{{HTTP}, every: 3s, cron: 1 1 * * *}}]}}", "$.probes[0]"),
        ("probes", f"{{probes: [{{{HTTP}, max_size: 3}}]}}", "$.probes[0].max_size"),
        ("probes", f"{{probes: [{{{HTTP}, expect: {{statsu: [200]}}}}]}}", "$.probes[0].expect"),
        ("probes", f"{{probes: [{{{HTTP}, expect: {{status: [9]}}}}]}}", "$.probes[0].expect.status[0]"),
        ("probes", f"{{probes: [{{{HTTP}, labels: {{a-b: c}}}}]}}", "$.probes[0].labels"),
        ("probes", f"{{probes: [{{{HTTP}, category: helth}}]}}", "$.probes[0].category"),
        ("probes", f"{{probes: [{{{HTTP}, each: {{n: []}}}}]}}", "$.probes[0].each"),
        ("probes", f"{{probes: [{{{HTTP}, each: {{n: [1]}}, evry: 3s}}]}}", "$.probes[0]"),
        ("probes", f"{{probes: [{{{HTTP}, each: {{n: [1]}}, method: git}}]}}", "$.probes[0].method"),
        ("probes", "{probes: [{id: a, prober: http, service: s}]}", "$.probes[0]"),
        ("probes", "{probes: [{id: a, prober: http, url: https://a/}]}", "$.probes[0]"),
        ("probes", "{probes: [{id: a, prober: htpt, service: s}]}", "$.probes[0].prober"),
        ("probes", "{probes: [{id: a, prober: volume, service: s, path: /, url: https://a/}]}", "$.probes[0]"),
        ("probes", "{probes: [{id: a, prober: dump, service: s, path: /, password: x}]}", "$.probes[0].password"),
        ("probes", "{probes: [{id: a, prober: dump, service: s, path: a, password: {}}]}", "$.probes[0].password"),
        ("probes", "{defaults: {url: a}, probes: []}", "$.defaults"),
        ("probes", "{defaults: {every: 3s, cron: 1 1 * * *}, probes: []}", "$.defaults"),
        ("rules", "{groups: [{name: a, rules: [{id: r}]}]}", "$.groups[0].rules[0]"),
        ("rules", "{groups: [{name: a, rules: [{id: r, when: true}]}]}", "$.groups[0].rules[0].when"),
        ("rules", "{groups: [{name: a, rules: [{id: r, when: up, fro: 2m}]}]}", "$.groups[0].rules[0]"),
        ("rules", "{groups: [{name: a, rules: [{id: r, when: up, for: 2}]}]}", "$.groups[0].rules[0].for"),
        ("rules", "{groups: [{name: a, rules: [{id: r, when: up, severity: x}]}]}", "$.groups[0].rules[0].severity"),
        ("rules", "{groups: [{name: a, rules: [{id: r, when: up, incident: {group_by: []}}]}]}",
         "$.groups[0].rules[0].incident.group_by"),
        ("services", "{services: {a: {critcality: low}}}", "$.services.a"),
    ],
)  # fmt: skip
def test_a_mistake_is_marked_where_it_stands_and_only_there(file: str, text: str, place: str, tmp_path: Path) -> None:
    assert set(marks(file, read(text, tmp_path))) == {place}


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner.get("description", "")


def test_keys_are_explained_by_what_stands_under_them_in_the_models() -> None:
    keys = dict(described(SCHEMAS["probes"]["$defs"]["probe.http"]))
    assert keys[".url"] == "What is asked for."
    assert keys[".every"].startswith("How often it runs")
    assert keys[".id"].startswith("Unique among all probes")
    assert dict(described(SCHEMAS["rules"]["$defs"]["rule"]))[".when"] == "The condition, in CEL."
    assert dict(described(SCHEMAS["watchkeeper"]))[".services"] == "The service catalogue."


def test_every_key_of_a_rule_is_explained() -> None:
    definitions = SCHEMAS["rules"]["$defs"]
    keys = dict(described(definitions["rule"]))
    for name in ("MatchModel", "FailuresModel", "NoDataModel", "FlappingModel", "EscalationModel", "IncidentModel"):
        keys |= dict(described(definitions[f"rule.{name}"], name))
    assert [name for name, explained in keys.items() if not explained] == []


def test_a_key_that_takes_several_shapes_explains_each() -> None:
    for name in ("for", "no_data", "flapping"):
        key = SCHEMAS["rules"]["$defs"]["rule"]["properties"][name]
        for shape in key["oneOf"]:
            one = SCHEMAS["rules"]["$defs"][shape["$ref"].removeprefix("#/$defs/")] if "$ref" in shape else shape
            assert one["description"]
        assert isinstance(key.get("default", ""), str), "an editor writes what it stands for, not what it is read as"


def test_everything_that_is_installed_has_a_schema_that_is_one() -> None:
    every = Catalogue(probers.names(), probers.find, itsm.names(), itsm.find)
    for schema in schemas(every).values():
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        for reference in references(schema):
            assert reference.removeprefix("#/$defs/") in schema["$defs"]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_schemas_are_plain_data_and_always_the_same() -> None:
    assert schemas(CATALOGUE) == SCHEMAS
    assert yaml.safe_load(yaml.safe_dump(SCHEMAS)) == SCHEMAS
