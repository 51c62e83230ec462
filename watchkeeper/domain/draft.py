"""The ticket of a new incident, in words."""

from watchkeeper.domain.incident import Incident
from watchkeeper.domain.rule import Hold, Rule, Scope, priority
from watchkeeper.domain.ticket import TicketDraft, TicketKind
from watchkeeper.domain.units import format_duration_ms, format_time


def draft_incident(incident: Incident, key: str, rule: Rule, scope: Scope) -> TicketDraft:
    """The ticket of a new incident: what a first responder needs to know, in plain text."""
    return TicketDraft(
        key=key,
        kind=TicketKind.INCIDENT,
        correlation=incident.key,
        title=incident.title,
        description=_describe(incident, rule, scope),
        service=incident.service,
        impact=incident.impact,
        urgency=incident.urgency,
        ci=scope.service.ci,
        rule=rule.id,
        severity=incident.severity,
        labels=incident.labels,
    )


def _describe(incident: Incident, rule: Rule, scope: Scope) -> str:
    sample, service, probe = scope.sample, scope.service, scope.probe
    service_line = f"{service.title} ({service.id})" + (f", owner {service.owner}" if service.owner else "")
    level = priority(incident.impact, incident.urgency)
    values = ", ".join(f"{name}={value:g}" for name, value in sample.values.items()) or "none"
    lines = [
        sample.message or incident.title,
        "",
        f"Service:  {service_line}",
        f"Probe:    {probe.id} ({probe.prober}, {probe.category})",
        f"Since:    {format_time(incident.started_ms)}",
        f"Priority: {level} (impact {incident.impact}, urgency {incident.urgency})",
        f"Rule:     {rule.id}: {' '.join(rule.when.split())}{describe_hold(rule.hold)}",
        f"Status:   {sample.status} after {sample.duration_s:.3f} s",
        f"Values:   {values}",
    ]
    if incident.labels:
        lines.append(f"Labels:   {', '.join(f'{name}={text}' for name, text in incident.labels)}")
    if incident.runbook:
        lines.append(f"Runbook:  {incident.runbook}")
    for name, text in incident.annotations:
        lines += ["", f"{name}: {text}"]
    lines += ["", f"Opened by watchkeeper as {incident.number} ({incident.key})."]
    return "\n".join(lines)


def describe_hold(hold: Hold) -> str:
    """For how long a condition held before the alert fired, in words that follow it."""
    if hold.failures > 1:
        times = f"{hold.failures} times" if hold.failures == hold.of else f"{hold.failures} of {hold.of} times"
        return f", held {times}"
    return f", held for {format_duration_ms(hold.for_ms)}" if hold.for_ms else ""


def draft_successor(incident: Incident, old: Incident, key: str, why: str) -> TicketDraft:
    """The ticket of an incident that takes the place of another one, whose ticket is over."""
    told = f"{old.number}" + (f", ticket {old.ticket_number}" if old.ticket_number else "")
    level = priority(incident.impact, incident.urgency)
    probes = ", ".join(sorted(ref.probe_id for ref in incident.firing))
    lines = [
        f"{why[0].upper()}{why[1:]}.",
        "",
        f"Follows:  {told}",
        f"Service:  {incident.service}",
        f"Probes:   {probes}",
        f"Since:    {format_time(incident.started_ms)}",
        f"Priority: {level} (impact {incident.impact}, urgency {incident.urgency})",
        f"Rule:     {incident.rule_id}",
    ]
    if incident.runbook:
        lines.append(f"Runbook:  {incident.runbook}")
    for name, text in incident.annotations:
        lines += ["", f"{name}: {text}"]
    lines += ["", f"Opened by watchkeeper as {incident.number} ({incident.key})."]
    return TicketDraft(
        key=key,
        kind=TicketKind.INCIDENT,
        correlation=incident.key,
        title=incident.title,
        description="\n".join(lines),
        service=incident.service,
        impact=incident.impact,
        urgency=incident.urgency,
        rule=incident.rule_id,
        severity=incident.severity,
        labels=incident.labels,
    )
