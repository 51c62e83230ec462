"""Writes the reference pages and JSON Schemas that are made from the code. `--check` says which are out of date."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import click

from docs import example_ticket, rulepacks
from watchkeeper import itsm, probers
from watchkeeper.app.parts import catalogue
from watchkeeper.cli import COMMANDS, main
from watchkeeper.config import (
    description,
    knowledge,
    models,
    problemmodels,
    rulemodels,
    ruletestmodels,
    sourcemodels,
    windowmodels,
)
from watchkeeper.config.jsonschema import schemas
from watchkeeper.config.series import MAX_SAMPLES, NOTATION
from watchkeeper.config.vocabulary import FUNCTIONS, NAMES
from watchkeeper.domain.knowledge import MOST_ARTICLES, MOST_LENGTH, MOST_MESSAGE
from watchkeeper.domain.ticket import Language
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import BackendKind, BackendOptions
from watchkeeper.probers.base import ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.web.exposition import Exposition, Reading

HERE: Final = Path(__file__).parent
_NOTE: Final = "<!-- Made by `make docs` from the code. Change it there. -->\n\n"
_COLUMNS: Final = ("key", "type", "default", "meaning")
_WORDS: Final = (  # how the pattern of a type begins, and what the type is called
    (r"^(\d+(ms|[smhdwy]))", "duration"),
    (r"^\d+(\.\d+)?\s*([kKMGTP]", "size"),
    (r"^\d{1,3}(\.\d{1,4})?\s*%", "ratio"),
)


def pages() -> Iterator[tuple[str, str]]:
    """Each generated file below docs/, and its text."""
    for name, schema in schemas(catalogue()).items():
        yield f"reference/schema/{name}.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    yield "reference/configuration.md", _configuration()
    yield "reference/probes.md", _probes()
    yield "reference/rules.md", _rules()
    yield "reference/rule-tests.md", _rule_tests()
    yield "reference/rule-packs.md", rulepacks.page(_NOTE)
    for kind in map(probers.find, probers.names()):
        yield f"reference/probers/{kind.name}.md", _prober(kind)
    yield "reference/tickets.md", _tickets()
    yield "reference/articles.md", _articles()
    yield "reference/command-line.md", _command_line()
    yield "reference/metrics.md", _metrics()


def _configuration() -> str:
    parts = [
        "# The daemon's file\n\n" + _NOTE,
        (
            "`watchkeeper run -c FILE`. Durations are written `30s`, `5m`, `4h`, `1h30m`, sizes `10GiB` or `500MB`, ratios "
            "`99.9%`. Paths and globs are relative to the file that names them. Secrets never stand in a file: "
            "`{env: NAME}`, `{file: PATH}` or `{credential: NAME}` (from systemd's credentials directory) say where "
            "they are kept.\n"
        ),
        _table(models.DaemonFile),
        "\n## web\n\n" + _table(models.Web),
        "\n## itsm\n\n" + _table(models.Itsm),
        "\nBackend types:\n\n",
        *(f"- [`{kind.name}`](#{kind.name}): {kind.summary}.\n" for kind in map(itsm.find, itsm.names())),
        "\nEvery backend has a `type` and these:\n\n" + _table(BackendOptions),
        *map(_backend, map(itsm.find, itsm.names())),
        "\n## knowledge\n\nWhat articles look like: [articles](articles.md).\n\n" + _table(models.KnowledgeModel),
        "\n## services\n\nEach service by its id:\n\n" + _table(models.ServiceModel),
        "\n### objectives\n\n" + _table(models.Objectives),
        (
            "\n## sources\n\nEach source by a name of your choice, of letters, digits, `.`, `_` and `-`: "
            "[how to receive alerts](../how-to/receive-alerts.md).\n\n" + _table(sourcemodels.SourceModel)
        ),
        (
            "\n## problems\n\n`off`, or [when repeats of incidents are a problem](../explanation/problems.md):\n\n"
            + _table(problemmodels.ProblemsModel)
        ),
        (
            "\n## maintenance\n\nA list. Each entry has one of `cron` with `duration`, `from` with `to`, or `ical`: "
            "[how to plan maintenance](../how-to/plan-maintenance.md).\n\n" + _table(windowmodels.MaintenanceModel)
        ),
        "\n## changes\n\nA list. Each source has one of `yaml` and `ical`.\n\n"
        + _table(windowmodels.ChangeSourceModel),
        "\n### A file of changes\n\n" + _table(windowmodels.ChangeFileModel),
        "\nEach change:\n\n" + _table(windowmodels.ChangeModel),
        "\n## retention\n\n" + _table(models.RetentionModel),
        "\n## log\n\n" + _table(models.Log),
    ]
    return "".join(parts)


def _backend(kind: BackendKind) -> str:
    """The keys that only this type has, or has another default for."""
    known = _rows(BackendOptions)
    rows = [row for row in _rows(kind.options) if row not in known]
    own = _markdown_table(_COLUMNS, rows) if rows else "No keys of its own.\n"
    nested = (f"\n#### {kind.name}: {name}\n\n{_table(model)}" for name, model in _nested(kind.options))
    return f"\n### {kind.name}\n\n{own}" + "".join(nested)


def _probes() -> str:
    rows = [
        (f"[`{kind.name}`](probers/{kind.name}.md)", kind.category.value, kind.summary)
        for kind in map(probers.find, probers.names())
    ]
    return "".join(
        [
            "# Probe files\n\n" + _NOTE,
            (
                "A file has `probes`, a list, and may have `defaults`, which every probe of the file has unless it says "
                "otherwise (labels add up).\n\n## What every probe has\n\n"
            ),
            _table(models.ProbeCommon, leave_out=()),
            (
                "\nWithout `every` and `cron` a probe runs every minute. Without `timeout` a run may take ten seconds, or "
                "as long as its interval if that is shorter.\n\n"
                "## Many probes from one\n\n`each` makes one probe of each combination of its lists. `{name}` is replaced "
                "in every text, and must stand in the id:\n\n"
                '```yaml\nprobes:\n  - id: "shop-{region}"\n    prober: http\n    service: web-shop\n'
                '    each: {region: [eu, cn]}\n    url: "https://{region}.shop.example.com/health"\n```\n\n'
                "## Probers\n\n"
            ),
            _markdown_table(("prober", "category", "what it does"), rows),
        ]
    )


def _prober(kind: ProberKind) -> str:
    parts = [
        (
            f"# The {kind.name} prober\n\n{_NOTE}{kind.summary} Its category is {kind.category.value} unless a probe says "
            "otherwise.\n\n## Keys\n\nBeside [what every probe has](../probes.md):\n\n"
        ),
        _table(kind.options),
    ]
    for model_name, model in _nested(kind.options):
        parts.append(f"\n### {model_name}\n\n{_table(model)}")
    parts.append("\n## Values\n\n")
    parts.append(_markdown_table(("value", "meaning"), [(f"`{n}`", text) for n, text in kind.values.items()]))
    if kind.open_values:
        parts.append(f"\nValues of any other name: {kind.open_values}.\n")
    if kind.facts:
        rows = [(f"`{name}`", fact.value, text) for name, (fact, text) in kind.facts.items()]
        parts.append("\n## Facts\n\n" + _markdown_table(("fact", "type", "meaning"), rows))
    if (own := HERE / "parts" / f"{kind.name}.md.part").exists():  # an example, and what each fault is found to be
        parts.append("\n" + own.read_text(encoding="utf-8"))
    return "".join(parts)


def _rules() -> str:
    names = [(f"`{name}`", entry.kind.value, entry.meaning) for name, entry in NAMES.items()]
    functions = [(f"`{entry.signature(name)}`", entry.meaning) for name, entry in FUNCTIONS.items()]
    return "".join(
        [
            "# Rule files\n\n" + _NOTE,
            "A file has `groups`, each with a `name` and `rules`.\n\n## A rule\n\n",
            _table(rulemodels.RuleModel),
            "\n### match\n\n" + _table(rulemodels.MatchModel),
            "\n### incident\n\n" + _table(rulemodels.IncidentModel),
            (
                "\n## Names\n\n`when` is written in CEL, the Common Expression Language; `title` is a Jinja2 template. "
                "Both know these names, and `values.NAME` and `facts.NAME` for what the prober produces. A name that "
                "no matched prober produces is an error when the file is read.\n\n"
            ),
            _markdown_table(("name", "type", "meaning"), names),
            (
                '\n## Functions\n\nOver the probe\'s recent samples. A series is the name of a value or `"duration"`; a '
                'window is a duration, `"10m"`, and holds what happened after its beginning, up to now. Where there are '
                "too few samples there is no answer: the alert's clocks stand, and nothing opens or resolves. "
                "[How functions count](../explanation/how-functions-count.md).\n\n"
            ),
            _markdown_table(("function", "gives"), functions),
            (
                "\nBeside them a condition has CEL's own: `size`, `contains`, `startsWith`, `endsWith`, `matches`, "
                '`duration("26h")`, `timestamp`, `now.getHours("Europe/Berlin")`, `in`, `? :`, `has`, and `all`, `exists`, '
                "`exists_one`, `filter` and `map` over lists and labels.\n"
                "\nTemplates also have the filters `duration` (of seconds), `size` (of bytes), `round`, `default`, `upper`, "
                "`lower`, `truncate` and a few more of Jinja2's own.\n"
            ),
        ]
    )


def _rule_tests() -> str:
    lists = (
        ("alerts", "alerts that are pending or firing", ruletestmodels.AlertModel, ()),
        ("incidents", "incidents that are open", ruletestmodels.IncidentModel, ()),
        (
            "resolved",
            "incidents that were open and are over. Beside what open ones have",
            ruletestmodels.ResolvedModel,
            ruletestmodels.IncidentModel.model_fields,
        ),
        ("tickets", "tickets that were asked for so far, one for each incident", ruletestmodels.TicketModel, ()),
    )
    return "".join(
        [
            "# Rule test files\n\n" + _NOTE,
            (
                "`watchkeeper rules test FILE…` runs the tests of these files. A test is run by the code that the daemon "
                "runs, under a clock that is moved by hand. How to write one: "
                "[test your rules](../how-to/test-rules.md).\n\n## The file\n\n"
            ),
            _table(ruletestmodels.RuleTestFile),
            (
                "\n`rule_files` or `config` is required. Beside `config` there are no `services` and no `probes`, and "
                "`rule_files` stand for those that it names.\n\n### probes\n\n"
            ),
            _table(ruletestmodels.RuleTestProbe),
            "\n## A test\n\n" + _table(ruletestmodels.RuleTestModel),
            (
                "\n## Series\n\nUnder a probe's id stand the statuses of its runs, or a mapping with any of `status`, "
                "`duration` (seconds), `message`, `values.NAME` and `facts.NAME`, as its prober's page lists them. The "
                "first run is at the start, each further one an interval later.\n\n"
            ),
            _markdown_table(("written", "means"), NOTATION),
            (
                "\n- A status is `up`, `down`, `unknown`, or `missed`: a run that did not take place when it was due. "
                "Without `status`, runs are up.\n"
                "- A time among the facts is `-26h`, before the sample's own time, or `2020-01-01T06:00Z`.\n"
                "- `message` and facts that are texts: a text for all runs, or a list with one for each, `_` for none.\n"
                "- All series of a probe have the same length, or one value, which is that of every run.\n"
                f"- A test has at most {MAX_SAMPLES:,} samples and lasts ten years at most.\n\n"
                "## Expectations\n\nAn expectation is looked at when everything of its time has happened. A mapping "
                "states what it cares about; a list lists all there is, in any order. A list that is left out is not "
                "looked at; `[]` says that there is none. Instead of a whole text, `{contains: TEXT}` states what is in "
                "it.\n"
            ),
            *(f"\n### {name}\n\nThe {what}.\n\n{_table(model, known)}" for name, what, model, known in lists),
        ]
    )


def _articles() -> str:
    return "".join(
        [
            "# Articles\n\n" + _NOTE,
            (
                "An article is a Markdown file. Between two lines of `---` at its beginning there may be front matter in "
                "YAML, which says what the article is for. How to use them: "
                "[keep knowledge](../how-to/keep-knowledge.md).\n\n"
            ),
            _table(knowledge.ArticleModel),
            "\n## match\n\n",
            _table(knowledge.ArticleMatchModel),
            (
                "\nAn article that says what it is for is never offered for anything else. What a problem record says of "
                "the very rule and service goes first. Of what else fits, the one that says the most goes first, then the one that names what it is for without `*`, `?` or `[…]`.\n\n"
                "## Without match\n\nAn article without `match` is offered where at least two of its words are among those "
                "of the incident's title, message, rule, prober and labels, one of them in its title or tags, and where "
                "these are a good part of what the incident has: rare words count more, the service's name does not count. "
                "Chinese, Japanese and Korean text is compared by pairs of characters.\n\n"
                "## Limits\n\n| what | at most |\n| --- | --- |\n"
                f"| articles, of each source | {MOST_ARTICLES:,} |\n"
                f"| characters of an article that are read | {MOST_LENGTH:,} |\n"
                f"| characters of all files together | {knowledge.MOST_TEXT:,} |\n"
                f"| characters of a message that `match.message` sees | {MOST_MESSAGE:,} |\n"
                "| articles in a ticket | two |\n"
                "| lines of an article in a ticket | the first six, 600 characters |\n\n"
                "What is left out is a warning of `watchkeeper check`.\n"
            ),
        ]
    )


def _tickets() -> str:
    english, chinese = (list(example_ticket.ticket(language)) for language in (Language.ENGLISH, Language.CHINESE))
    rows = [(f"`{name}`", meaning) for name, meaning in description.NAMES.items()]
    return "".join(
        [
            "# Tickets\n\n" + _NOTE,
            (
                "What a ticket says is decided when it is opened, in plain text, with the most important first: where a "
                "ticket system takes less, the end is cut off. Times are UTC.\n\n"
                "| part | what it says |\n| --- | --- |\n"
                "| the symptom | the rule's title, and what the probe said |\n"
                "| the head | since when, the service with its owner, its configuration item, the services that need it, "
                "the probe and its target, the priority and where it comes from, the runbook, the incident, with a link if "
                "`web.url` is set |\n"
                "| why the rule fired | its condition, each name and function that stands in it with what it was then, and "
                "for how long it held |\n"
                "| the last samples | up to five, since the trouble began and the one before; up to three values, those of "
                "the condition first |\n"
                "| annotations, labels | as the rule has them |\n"
                "| what may help | the best two of your [articles](articles.md), known errors of problems, and what a person "
                "said that resolved the last such incident: the title, why it was chosen, the first lines, where to read "
                "on |\n"
                "| earlier incidents | the last three with the same key, of ninety days |\n\n"
                "Notes say what happens later: which probe joined, left, is in trouble again or comes and goes, since when; "
                "why it counts as worse; and in the end how long it lasted, how often trouble came back and which probes "
                "were affected. A ticket that takes the place of another says which, and why.\n\n"
            ),
            "## In English\n\n" + _ticket(english),
            "\n## In Chinese\n\n" + _ticket(chinese),
            (
                "\n## Language\n\n`itsm.language` is that of all tickets, `language` of a backend that of its own: `en` or "
                "`zh`, Simplified Chinese. What rules and probers say stays as they say it. Log and command line speak "
                "English.\n\n"
                "## Another text\n\n`itsm.description`, or `description` of a backend, is the text of new tickets: a Jinja2 "
                f"template of up to {description.MAX_LENGTH:,} characters, with expressions and `{{% if %}}`. Mistakes in it "
                "are found when the configuration is read.\n\n"
                "```yaml\nitsm:\n  language: zh\n  description: |\n    {{ service.owner }}: {{ incident.title }}\n\n"
                "    {{ text }}\n```\n\n"
                "It has the [names of rules](rules.md#names), but not their functions, and beside them:\n\n"
            ),
            _markdown_table(("name", "what it is"), rows),
            (
                "\nA name that has no value now is `?`. A template that fails gives the usual text, with what failed. After "
                "a restart a ticket that takes the place of another may have the usual text too: then nothing is known yet "
                "that the names could stand for.\n"
            ),
        ]
    )


def _ticket(parts: Sequence[str]) -> str:
    title, text, *notes = parts
    return (
        "".join(f"```text\n{part}\n```\n\n" for part in (f"{title}\n\n{text}", "\n\n".join(notes))).rstrip("\n")
        + "\n"
    )


def _command_line() -> str:
    parts = [
        "# Command line\n\n" + _NOTE,
        (
            "Exit status: 0 fine; 1 what you asked about is wrong (invalid configuration, a probe that is not up); 2 wrong "
            "usage; 3 something needed can not be reached (the database, a port, a full disk for the output); 70 a fault of "
            "watchkeeper's own, or a daemon that could not go on; 141 nobody reads the output any more.\n"
        ),
    ]
    top = click.Context(main, info_name="watchkeeper")
    for name in COMMANDS:
        command = main.get_command(top, name)
        assert command is not None
        parts += _usage(command, click.Context(command, info_name=name, parent=top))
    return "".join(parts)


def _usage(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _usage(inner, click.Context(inner, info_name=name, parent=context))
        return
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"


def _metrics() -> str:
    """From a daemon's own output: what is written down here is what is served."""
    watch = Watch(Plan({}, {}, {}, "desk"))
    reading = Reading(0, {}, {}, 0, 0, 0, 0, 0, 0, (), ())
    text = "".join(Exposition(watch).chunks(reading))
    families = [
        (f"`{line.split()[2]}`", line.split(maxsplit=3)[3])
        for line in text.splitlines()
        if line.startswith("# HELP ")
    ]
    families += [
        (f"`{found.name}{'_total' if found.type == 'counter' else ''}`", found.documentation)
        for found in Figures("0").registry.collect()
        if found.name.startswith("watchkeeper_")
    ]
    return (
        "# Metrics\n\n"
        + _NOTE
        + "`GET /metrics`, in Prometheus's text format. Times are seconds, sizes bytes. Metrics "
        "of a probe have the labels `probe`, `service`, `prober` and `category`; labels never hold what a server "
        "said. Counters and histograms begin at zero with each start. Beside these there are the usual `process_*` "
        "and `python_info`.\n\n" + _markdown_table(("metric", "meaning"), sorted(set(families)))
    )


def _nested(model: type[Model]) -> Iterator[tuple[str, type[Model]]]:
    """The models of a model's own mappings, by the key that they stand under."""
    for name, field in model.model_fields.items():
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, Model):
                path = field.alias or name
                yield path, candidate
                yield from ((f"{path}.{inner}", found) for inner, found in _nested(candidate))


def _table(model: type[Model], leave_out: Iterable[str] = ()) -> str:
    rows = _rows(model, leave_out)
    return _markdown_table(_COLUMNS, rows) if rows else "None.\n"


def _rows(model: type[Model], leave_out: Iterable[str] = ()) -> list[tuple[str, str, str, str]]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    rows = []
    for name, entry in schema.get("properties", {}).items():
        if name not in leave_out:
            default = "required" if name in required else _default(model, name)
            rows.append((f"`{name}`", _type(entry, schema), default, entry.get("description", "")))
    return rows


def _default(model: type[Model], name: str) -> str:
    field = next(f for n, f in model.model_fields.items() if (f.alias or n) == name)
    value = field.get_default(call_default_factory=True)  # type: ignore[call-arg]
    if value is None or value in ("", (), {}, []) or isinstance(value, Model):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{_written(entry=value, schema=model.model_json_schema(by_alias=True)['properties'][name])}`"


def _written(entry: Any, schema: dict[str, Any]) -> str:
    from watchkeeper.domain.units import format_duration_ms, format_size

    kind = _type(schema, {})
    if kind == "duration":
        return format_duration_ms(entry)
    return format_size(entry) if kind == "size" else str(entry)


def _type(entry: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in entry:
        return _type(schema.get("$defs", {}).get(entry["$ref"].rpartition("/")[2], {}), schema)
    if branches := entry.get("anyOf") or entry.get("oneOf"):
        kinds = dict.fromkeys(_type(one, schema) for one in branches if one.get("type") != "null")
        return " or ".join(kinds)
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    for begin, word in _WORDS:
        if entry.get("pattern", "").startswith(begin):
            return word
    kind = entry.get("type", "anything")
    if kind == "array":
        return f"list of {_type(entry.get('items', {}), schema)}"
    plain = {"string": "text", "object": "mapping", "integer": "whole number", "boolean": "true or false"}
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(plain.get(one, one) for one in kinds)


def _markdown_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |"]
    lines.append("|" + " --- |" * lines[0].count(" |"))
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _write(*, check: bool) -> int:
    stale = []
    expected = {HERE / name: text for name, text in pages()}
    for path, text in expected.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    gone = [path for path in (HERE / "reference/probers").glob("*.md") if path not in expected]
    for path in gone:
        if not check:
            path.unlink()
    for path in [*stale, *gone]:
        print(f"{'out of date' if check else 'written'}: {path.relative_to(HERE.parent)}")
    if check and (stale or gone):
        print("Run `make docs` and commit what it writes.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_write(check="--check" in sys.argv[1:]))
