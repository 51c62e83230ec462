"""What happens to an incident, in words: its ticket's notes, of which the first line stands in its timeline."""

from watchkeeper.domain.alert import Alert
from watchkeeper.domain.briefing import named, one_line
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.phrases import Phrases
from watchkeeper.domain.rule import Rule, Severity, priority
from watchkeeper.domain.ticket import TicketSeen
from watchkeeper.domain.units import format_time


def joined(words: Phrases, alert: Alert, incident: Incident, message: str) -> str:
    since_ms = alert.since_ms if alert.active_since_ms is None else alert.active_since_ms
    return _about(words.joined, alert, incident, since_ms, message)


def left(words: Phrases, alert: Alert, incident: Incident, reason: str) -> str:
    return _about(words.left, alert, incident, alert.since_ms, reason)


def returned(words: Phrases, alert: Alert, incident: Incident, reason: str, at_ms: int) -> str:
    return _about(words.returned, alert, incident, at_ms, reason)


def _about(pattern: str, alert: Alert, incident: Incident, at_ms: int, message: str) -> str:
    return pattern.format(probe=_named(alert, incident), time=format_time(at_ms), message=one_line(message))


def _named(alert: Alert, incident: Incident) -> str:
    """The probe, and where several rules are about one trouble the rule too."""
    rules = {ref.rule_id for ref in incident.affected} | {alert.ref.rule_id}
    return f"{alert.ref.probe_id} ({alert.ref.rule_id})" if len(rules) > 1 else alert.ref.probe_id


def flapping(words: Phrases, alert: Alert, incident: Incident, at_ms: int) -> str:
    return words.flapping.format(probe=_named(alert, incident), time=format_time(at_ms))


def calmed(words: Phrases, alert: Alert, incident: Incident, at_ms: int) -> str:
    returns = words.came_back_text(incident.returns)
    return words.calmed.format(probe=_named(alert, incident), time=format_time(at_ms), returns=returns)


def resolved(words: Phrases, incident: Incident, reason: str, at_ms: int) -> str:
    """How long it lasted, how often it came back, what was affected."""
    pattern = words.resolved_after_returns if incident.returns else words.resolved
    first = pattern.format(
        time=format_time(at_ms),
        elapsed=words.elapsed(at_ms - incident.started_ms),
        returns=words.came_back_text(incident.returns),
        message=one_line(reason),
    )
    probes = named(list(dict.fromkeys(ref.probe_id for ref in incident.affected)), words)
    return f"{first}\n{words.affected.format(probes=probes)}"


def rule_fires(words: Phrases, rule: Rule, alert: Alert) -> str:
    since = format_time(alert.since_ms)
    return words.rule_fires.format(rule=rule.id, probe=alert.ref.probe_id, time=since)


def open_for(words: Phrases, incident: Incident, open_ms: int) -> str:
    return words.open_for.format(elapsed=words.elapsed(open_ms), time=format_time(incident.opened_ms))


def raised(words: Phrases, before: Severity, after: Incident, why: str) -> str:
    return words.raised.format(
        before=words.severities[before],
        after=words.severities[after.severity],
        priority=priority(after.impact, after.urgency),
        why=why,
    )


def seen(words: Phrases, ticket: TicketSeen, *, taken_up: bool) -> str:
    """What somebody did to a ticket."""
    if ticket.is_gone:
        return words.deleted.format(ticket=ticket.number)
    if taken_up:
        return words.taken_up.format(ticket=ticket.number, who=ticket.assignee or words.somebody)
    return words.moved.format(ticket=ticket.number, state=words.states[ticket.state])
