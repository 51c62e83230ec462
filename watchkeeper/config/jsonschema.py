"""The JSON Schemas (draft 2020-12) of the YAML files, for editors: they complete keys, explain them, mark mistakes.

A schema knows less than the loader: not which services there are, nor what a condition means. But it refuses
nothing that the loader accepts, except what only Python takes for a number or a truth value, such as `"yes"`.
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from watchkeeper.config.load import Catalogue
from watchkeeper.config.models import DaemonFile, ProbeCommon, ProbeFile, ServiceFile
from watchkeeper.config.rulemodels import RuleFile, RuleModel
from watchkeeper.config.ruletestmodels import ExpectationModel, RuleTestFile, RuleTestModel, RuleTestProbe
from watchkeeper.config.windowmodels import ChangeFileModel
from watchkeeper.schema.base import Model

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLACEHOLDER: Final[Schema] = {
    "type": "string",
    "pattern": r"\{[A-Za-z_][A-Za-z0-9_]*\}",
    "description": "a text with a placeholder of `each`",
}
_EVERY_AND_CRON: Final[Schema] = {
    "required": ["every", "cron"],
    "properties": {"every": {"type": "string"}, "cron": {"type": "string"}},
}
_BY_NAME: Final = ("properties", "patternProperties", "$defs", "dependentSchemas")
_ONE: Final = ("items", "additionalProperties")
_SEVERAL: Final = ("anyOf", "allOf", "oneOf", "prefixItems")


def schemas(catalogue: Catalogue) -> dict[str, Schema]:
    """The schema of each kind of file: `watchkeeper` (the daemon's), `probes`, `rules`, `ruletests`, `services`,
    `changes`."""
    return {
        "watchkeeper": _daemon(catalogue),
        "probes": _probes(catalogue),
        "rules": _rules(),
        "ruletests": _rule_tests(catalogue),
        "services": _File("A file of services", ServiceFile).schema,
        "changes": _File("A file of changes", ChangeFileModel).schema,
    }


class _Generator(GenerateJsonSchema):
    ignored_warning_kinds = {"non-serializable-default"}  # noqa: RUF012  # defaults of our own types are left out


class _File:
    """The schema of a kind of file, to which definitions can be added."""

    def __init__(self, title: str, model: type[Model]) -> None:
        self.definitions: dict[str, Schema] = {}
        body = self.take_in("file", model)
        self.schema: Schema = {"$schema": _DRAFT, "title": title, **body, "$defs": self.definitions}

    def take_in(self, name: str, model: type[Model], change: Callable[[Schema], Schema] = lambda s: s) -> Schema:
        """The schema of a model. What it refers to is added to the definitions, under a prefix of its own."""
        found = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}", schema_generator=_Generator)
        for inner, body in found.pop("$defs", {}).items():
            self.definitions[f"{name}.{inner}"] = change(_tidy(body))
        return change(_tidy(found))

    def define(self, name: str, body: Schema) -> Schema:
        """Adds a definition; gives the reference to it."""
        self.definitions[name] = body
        return {"$ref": f"#/$defs/{name}"}


def _daemon(catalogue: Catalogue) -> Schema:
    file = _File("The daemon's configuration", DaemonFile)
    variants = {}
    for name in catalogue.backend_names:
        own = file.take_in(name, catalogue.find_backend(name).options)
        own["properties"] = {"type": {"const": name}, **own.get("properties", {})}
        variants[name] = file.define(f"backend.{name}", own)
    kind = {"enum": list(catalogue.backend_names), "description": "Which kind of ticket system it is."}
    backend = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": kind},
        "allOf": [_when("type", name, variant) for name, variant in variants.items()],
    }
    backends = file.definitions["file.Itsm"]["properties"]["backends"]
    backends["patternProperties"] = dict.fromkeys(backends["patternProperties"], file.define("backend", backend))
    return file.schema


def _probes(catalogue: Catalogue) -> Schema:
    """A probe has the keys of its prober. Where it has `each`, placeholders may stand for any value."""
    file = _File("A file of probes", ProbeFile)
    plain = file.take_in("common", ProbeCommon)["properties"]
    loose = file.take_in("common.each", ProbeCommon, _with_placeholders)["properties"]
    with_each: Schema = {"required": ["each"]}
    choices: list[Schema] = []
    for name in catalogue.prober_names:
        options = catalogue.find_prober(name).options
        one = file.define(f"probe.{name}", _probe(file.take_in(name, options), plain))
        own = file.take_in(f"{name}.each", options, _with_placeholders)
        several = file.define(f"probe.{name}.each", _probe(own, loose))
        choices.append(_when("prober", name, {"if": with_each, "then": several, "else": one}))
    prober: Schema = {
        "enum": list(catalogue.prober_names),
        "description": "Its type, which decides on its other keys.",
    }
    file.definitions["probe"] = {
        "type": "object",
        "required": ["id", "prober"],
        "properties": {**loose, "prober": _with_placeholders(prober)},
        "if": with_each,
        "else": {"properties": {"prober": prober}},
        "not": _EVERY_AND_CRON,
        "allOf": choices,
    }
    file.schema["properties"]["probes"]["items"] = {"$ref": "#/$defs/probe"}
    file.definitions["file.ProbeDefaults"]["not"] = _EVERY_AND_CRON
    has_service = {"required": ["service"], "properties": {"service": {"type": "string"}}}
    file.schema["if"] = {"required": ["defaults"], "properties": {"defaults": has_service}}
    file.schema["else"] = {"properties": {"probes": {"items": {"required": ["service"]}}}}
    return file.schema


def _probe(own: Schema, common: Schema) -> Schema:
    """All keys of the probes of one prober; which of the common ones are required is said elsewhere."""
    return {**own, "properties": {**own.get("properties", {}), **common, "prober": {"type": "string"}}}


def _rules() -> Schema:
    file = _File("A file of rules", RuleFile)
    rule = file.take_in("rule", RuleModel)
    file.definitions["file.RuleGroup"]["properties"]["rules"]["items"] = file.define("rule", rule)
    file.definitions["file.RuleGroup"].pop("description", None)
    return file.schema


def _rule_tests(catalogue: Catalogue) -> Schema:
    file = _File("A file of rule tests", RuleTestFile)
    probe = file.take_in("probe", RuleTestProbe)
    probe["properties"]["prober"]["enum"] = list(catalogue.prober_names)
    probe["not"] = _EVERY_AND_CRON
    probe.pop("additionalProperties")  # the prober's own keys, which mean nothing here
    test = file.take_in("test", RuleTestModel)
    test["properties"]["expect"]["items"] = file.define("expectation", file.take_in("expectation", ExpectationModel))
    finds = file.define("series", _series())
    test["properties"]["series"]["patternProperties"] = dict.fromkeys(
        test["properties"]["series"]["patternProperties"], finds
    )
    file.schema["properties"]["probes"]["items"] = file.define("probe", probe)
    file.schema["properties"]["tests"]["items"] = file.define("test", test)
    file.schema["anyOf"] = [{"required": ["rule_files"]}, {"required": ["config"]}]
    return file.schema


def _series() -> Schema:
    """What a probe finds: which values and facts there are, the loader knows."""
    one: Schema = {"type": ["string", "number", "boolean"], "description": "such as 0+5x10, 5x3 or _"}
    texts: Schema = {"type": ["string", "array"], "items": {"type": ["string", "null"]}}
    status: Schema = {"type": "string", "description": "up, down, unknown, missed or _, such as up downx3 up"}
    message = {**texts, "description": "one for all runs, or a list with one for each"}
    return {
        "type": ["string", "object"],
        "description": "The statuses of its runs, or a series of each part of its samples.",
        "properties": {"status": status, "duration": {**one, "description": "seconds"}, "message": message},
        "patternProperties": {r"^values\.": one, r"^facts\.": {**texts, "type": [*one["type"], "array"]}},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _when(key: str, value: str, then: Schema) -> Schema:
    return {"if": {"required": [key], "properties": {key: {"const": value}}}, "then": then}


def _tidy(schema: Schema) -> Schema:
    """Without titles made of names and defaults that are not written like that, and with no keys but those said."""
    schema = _inside(schema, _tidy)
    schema.pop("title", None)
    default = schema.get("default")
    if not isinstance(default, str | bool) and (not isinstance(default, int) or schema.get("type") != "integer"):
        schema.pop("default", None)
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def _with_placeholders(schema: Schema) -> Schema:
    """Accepts a text with a placeholder wherever a value is restricted."""
    schema = _inside(schema, _with_placeholders)
    restricted = {"enum", "const", "pattern"} & schema.keys() or schema.get("type") in (
        "integer",
        "number",
        "boolean",
    )
    if not restricted:
        return schema
    explained = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [schema, _PLACEHOLDER], **explained}


def _inside(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A copy with all schemas that stand directly in it changed."""
    new = dict(schema)
    for key, value in schema.items():
        if key in _BY_NAME:
            new[key] = {name: change(inner) for name, inner in value.items()}
        elif key in _SEVERAL:
            new[key] = [change(inner) for inner in value]
        elif key in _ONE and isinstance(value, dict):
            new[key] = change(value)
    return new
