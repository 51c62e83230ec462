"""New incidents, and what their tickets say."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from watchkeeper.domain.alert import Alert
from watchkeeper.domain.briefing import MOST_NAMED, Briefing, describe, reasons
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.draft import draft
from watchkeeper.domain.earlier import EarlierIncidents
from watchkeeper.domain.expected import Window
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.lessons import asked_about
from watchkeeper.domain.phrases import Phrases
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.rule import Named, Rule, Scope, Template, assess
from watchkeeper.domain.service import dependants, needed_by
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft
from watchkeeper.domain.units import format_time


class Entry(NamedTuple):
    """An alert that fires, its rule, and what is seen of it. `held_by`: the window that it was expected by until now.
    `teller`: the incident that explained it until now."""

    alert: Alert
    rule: Rule
    scope: Scope
    held_by: Window | None = None
    teller: str = ""

    @property
    def began_ms(self) -> int:
        """Since when its condition holds."""
        active_ms = self.alert.active_since_ms
        return self.alert.since_ms if active_ms is None else active_ms


def new_incident(
    incident_id: int,
    key: str,
    title: str,
    entries: Sequence[Entry],
    backend: str,
    now_ms: int,
    change: Window | None,
) -> Incident:
    """An incident of alerts that fire, the most important first. `change`: in whose aftermath it is."""
    rule, scope = entries[0].rule, entries[0].scope
    refs = tuple(entry.alert.ref for entry in entries)
    impact, urgency = assess(rule, rule.severity, scope.service)
    return Incident(
        id=incident_id,
        key=key,
        rule_id=rule.id,
        service=scope.service.id,
        title=title,
        severity=rule.severity,
        impact=impact,
        urgency=urgency,
        backend=backend,
        started_ms=min(entry.began_ms for entry in entries),
        opened_ms=now_ms,
        firing=frozenset(refs),
        affected=refs,
        runbook=rule.runbook,
        labels=_rendered(rule.labels, scope),
        annotations=_rendered(rule.annotations, scope),
        caused_by="" if change is None else change.id,
    )


def after_change(words: Phrases, incident: Incident, change: Window) -> str:
    """What an incident has to do with the change that it is attributed to."""
    if incident.started_ms < change.to_ms:
        return words.during_change.format(number=change.id, title=change.title)
    elapsed = words.elapsed(incident.started_ms - change.to_ms)
    return words.after_change.format(number=change.id, title=change.title, elapsed=elapsed)


def background(words: Phrases, incident: Incident, entry: Entry, change: Window | None) -> str:
    """What went before that a first responder should know: a change, a window that held it back, another incident."""
    said = [] if change is None else [after_change(words, incident, change)]
    if (window := entry.held_by) is not None and (change is None or window.id != change.id):
        until = format_time(min(window.to_ms, incident.opened_ms))
        title = f"{window.id}, {window.title}" if window.title else window.id
        said.append(words.held_back.format(time=until, window=title))
    if entry.teller:
        said.append(words.was_explained.format(number=entry.teller))
    return "\n".join(said)


class Drafts:
    """Writes the tickets of new incidents.

    Args:
        earlier: incidents that are over; those that are added count as well.
    """

    def __init__(self, plan: Plan, earlier: EarlierIncidents) -> None:
        self._plan = plan
        self._earlier = earlier
        self._needed_by = needed_by(plan.services.values())

    def draft(
        self,
        incident: Incident,
        rule: Rule | None,
        scope: Scope | None,
        follows: Incident | None = None,
        opening: str = "",
    ) -> TicketDraft:
        """The ticket of an incident. `rule`, `scope`: `None` where they are not at hand. `follows`: that whose
        place it takes. `opening`: what else is to be said first."""
        plan = self._plan
        needed = dependants(incident.service, self._needed_by, MOST_NAMED + 1)
        briefing = Briefing(
            incident=incident,
            service=plan.service_of(incident.service),
            rule=rule,
            scope=scope,
            reasons=() if rule is None or scope is None else reasons(rule, scope),
            dependants=[plan.service_of(one) for one in needed],
            earlier=self._earlier.of(incident.key),
            url=plan.url,
            words=plan.words_of(incident.backend),
            follows=follows,
            opening=opening,
            knowledge=plan.knowledge.best(asked_about(incident, scope)),
        )
        key = ticket_key(incident.key, incident.opened_ms)
        return draft(briefing, key, plan.descriptions.get(incident.backend, describe))


def ticket_command(
    incident: Incident, kind: CommandKind, payload: TicketDraft | TicketChange, at_ms: int, due_ms: int = 0
) -> Command:
    """What an incident's backend is to do."""
    key = ticket_key(incident.key, incident.opened_ms)
    return Command(incident.id, incident.backend, key, kind, payload, at_ms, due_ms=due_ms)


def _rendered(templates: Mapping[str, Template], scope: Scope) -> tuple[Named, ...]:
    return tuple(Named(name, template(scope)) for name, template in templates.items())
