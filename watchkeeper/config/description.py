"""Users' own descriptions of tickets: templates with the names of rules, and what is known of the incident."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes

from watchkeeper.config.template import TemplateError, names_in, parse
from watchkeeper.domain import briefing as sections
from watchkeeper.domain.briefing import Briefing
from watchkeeper.domain.rule import priority
from watchkeeper.domain.units import format_time

MAX_LENGTH: Final = 4000

SECTIONS: Final[Mapping[str, tuple[Callable[[Briefing], str], str]]] = {
    "text": (sections.describe, "all that stands in a ticket otherwise"),
    "why": (sections.why, "the rule's condition, what it saw, for how long it held"),
    "samples": (sections.samples, "the last samples, as a table"),
    "dependants": (sections.needed_by, "the services that can not work without this one"),
    "earlier": (sections.earlier, "earlier incidents with the same key, a line for each"),
    "knowledge": (sections.knowledge, "what may help: articles, known errors, what ended the last one; or empty"),
    "page": (sections.page, "the URL of the incident's page; empty without `web.url`"),
}
"""What is written of an incident, by name, and what that is."""

_OF_INCIDENT: Final[Mapping[str, tuple[Callable[[Briefing], object], str]]] = {
    "number": (lambda b: b.incident.number, "`INC-12`"),
    "key": (lambda b: b.incident.key, "what its alerts have in common"),
    "title": (lambda b: b.incident.title, "the ticket's title"),
    "rule": (lambda b: b.incident.rule_id, "the rule's id"),
    "severity": (lambda b: b.incident.severity.value, "critical, major, minor or info"),
    "impact": (lambda b: b.incident.impact.value, "high, medium or low"),
    "urgency": (lambda b: b.incident.urgency.value, "the same"),
    "priority": (lambda b: priority(b.incident.impact, b.incident.urgency), "1 to 5"),
    "started": (lambda b: format_time(b.incident.started_ms), "since when, in UTC"),
    "runbook": (lambda b: b.incident.runbook, "where to read what to do"),
}

NAMES: Final[Mapping[str, str]] = {name: meaning for name, (_, meaning) in SECTIONS.items()} | {
    f"incident.{name}": meaning for name, (_, meaning) in _OF_INCIDENT.items()
}
"""The names that a description has beside those of rules, and what they mean."""


@dataclass(frozen=True, slots=True)
class Description:
    """Writes the description of a ticket. `_used`: the names that stand in the template."""

    _template: JinjaTemplate
    _used: frozenset[str]

    def __call__(self, briefing: Briefing) -> str:
        if briefing.scope is None:  # there is nothing that the names could stand for
            return sections.describe(briefing)
        context: dict[str, Any] = names_in(briefing.scope)
        context["incident"] = {name: get(briefing) for name, (get, _) in _OF_INCIDENT.items()}
        for name, (write, _) in SECTIONS.items():
            if name in self._used:
                context[name] = write(briefing)
        try:
            text = self._template.render(context).strip()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a text, it must not cost an incident
            return f"{sections.describe(briefing)}\n\n(The template of descriptions failed: {error})"
        return sections.bounded(text)


def compile_description(text: str) -> Description:
    """The description that a text is.

    Raises:
        TemplateError: a name, a filter or a statement that there is not, or bad syntax.
    """
    template, tree = parse(text, own=NAMES, most=MAX_LENGTH)
    if (call := tree.find(nodes.Call)) is not None:
        message = "functions are not called here: `why` tells what those of the rule have said"
        raise TemplateError(message, call.lineno)
    return Description(template, frozenset(name.name for name in tree.find_all(nodes.Name)))
