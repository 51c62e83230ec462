"""The ticket of a new incident."""

from watchkeeper.domain.briefing import Briefing, bounded
from watchkeeper.domain.plan import Describe
from watchkeeper.domain.ticket import TicketDraft, TicketKind


def draft(briefing: Briefing, key: str, describe: Describe) -> TicketDraft:
    """The ticket that tells of an incident, under a key of its own."""
    incident = briefing.incident
    return TicketDraft(
        key=key,
        kind=TicketKind.INCIDENT,
        correlation=incident.key,
        title=incident.title,
        description=bounded(describe(briefing)),
        service=incident.service,
        impact=incident.impact,
        urgency=incident.urgency,
        ci=briefing.service.ci,
        rule=incident.rule_id,
        severity=incident.severity,
        labels=incident.labels,
    )
