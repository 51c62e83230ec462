"""`watchkeeper incidents`: what is and was wrong, and what became of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.incident import incident_id, incident_number
from watchkeeper.domain.units import format_elapsed_ms, format_time

if TYPE_CHECKING:
    from watchkeeper.store.listing import AffectedAlert, ImpactedAlert, IncidentDetail, IncidentRow

_MOST_IMPACTED: Final = 50


@click.command("incidents")
@click.argument("number", required=False)
@config_option
@json_option
@click.option("--state", type=click.Choice(["open", "resolved"]), help="Only those in this state.")
@click.option("--service", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def command(
    number: str | None, config_path: Path, *, as_json: bool, state: str | None, service: str | None, limit: int
) -> None:
    """List incidents, the newest first, or show one by its NUMBER, such as INC-12."""
    from watchkeeper.domain.incident import IncidentState
    from watchkeeper.store.listing import list_incidents, show_incident

    wanted = None if number is None else _id_of(number)
    with database_of(find_state(config_path), for_reading=True) as database:
        if wanted is None:
            rows = list_incidents(
                database, state=None if state is None else IncidentState(state), service=service, limit=limit
            )
            _print_list(rows, as_json=as_json)
            return
        detail = show_incident(database, wanted)
    if detail is None:
        fail(f"there is no incident {incident_number(wanted)}", WRONG)
    if as_json:
        print_json(_detail_as_json(detail))
    else:
        _print_detail(detail)


def _id_of(number: str) -> int:
    try:
        return incident_id(number)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NUMBER") from None


def _print_list(rows: "list[IncidentRow]", *, as_json: bool) -> None:
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    if not rows:
        click.echo("no incidents")
        return
    print_table(
        ("INCIDENT", "STATE", "PRIO", "SERVICE", "OPENED", "LASTED", "TICKET", "TITLE"),
        [
            (
                row.number,
                "flapping" if row.flapping else row.state.value,
                row.priority,
                row.service,
                format_time(row.opened_ms),
                _lasted(row),
                _ticket(row),
                row.title,
            )
            for row in rows
        ],
    )


def _ticket(row: "IncidentRow") -> str:
    return row.ticket_number or ("waiting" if row.rejection is None else "rejected")


def _lasted(row: "IncidentRow") -> str:
    from watchkeeper.app.parts import now_ms

    if row.resolved_ms is None:
        return f"{format_elapsed_ms(now_ms() - row.started_ms)}+"
    return format_elapsed_ms(row.resolved_ms - row.started_ms)


def _taken_up(row: "IncidentRow") -> str:
    if row.acknowledged_ms is None:
        return ""
    return f"{format_time(row.acknowledged_ms)}, after {format_elapsed_ms(row.acknowledged_ms - row.opened_ms)}"


def _print_detail(detail: "IncidentDetail") -> None:
    row = detail.incident
    lines: list[tuple[str, object]] = [
        ("incident", f"{row.number}  {row.title}"),
        ("state", f"{row.state.value}, flapping" if row.flapping else row.state.value),
        ("returns", f"trouble came back {row.returns} times" if row.returns else ""),
        ("priority", f"{row.priority} (impact {row.impact}, urgency {row.urgency}, severity {row.severity})"),
        ("service", row.service),
        ("rule", row.rule_id),
        ("key", row.key),
        ("began", format_time(row.started_ms)),
        ("opened", format_time(row.opened_ms)),
        ("taken up", _taken_up(row)),
        ("resolved", "" if row.resolved_ms is None else format_time(row.resolved_ms)),
        ("part of", row.merged_into),
        ("merged", ", ".join(detail.merged)),
        ("caused by", row.caused_by),
        ("lasted", _lasted(row)),
        ("ticket", f"{_ticket(row)} at {row.backend} {row.ticket_url or ''}"),
        ("rejected", row.rejection or ""),
        ("runbook", detail.runbook),
        *((f"{one.name}:", one.text) for one in (*detail.labels, *detail.annotations)),
    ]
    for name, value in lines:
        if value != "":
            click.echo(f"{name:<9} {printable(str(value))}".rstrip())
    click.echo("\nAlerts")
    print_table(
        ("PROBE", "RULE", "NOW"),
        [(one.ref.probe_id, one.ref.rule_id, _now(one)) for one in detail.alerts],
    )
    if detail.impacted:
        click.echo("\nImpacted")
        print_table(
            ("PROBE", "RULE", "NOW"),
            [(one.ref.probe_id, one.ref.rule_id, "impacted" if one.now else "over") for one in _shown(detail)],
        )
        if (more := len(detail.impacted) - _MOST_IMPACTED) > 0:
            click.echo(f"and {more} more: see --json")
    click.echo("\nTimeline")
    print_table(
        ("TIME", "WHAT", "PROBE", "TEXT"),
        [
            (format_time(entry.at_ms), entry.happening.value, entry.alert.probe_id, entry.text)
            for entry in detail.timeline
        ],
    )
    click.echo("\nTicket commands")
    print_table(
        ("COMMAND", "STATE", "TRIES", "DECIDED", "DONE", "LAST ERROR"),
        [
            (
                one.kind.value,
                one.state.value,
                one.attempts,
                format_time(one.created_ms),
                "" if one.done_ms is None else format_time(one.done_ms),
                one.last_error,
            )
            for one in detail.commands
        ],
    )


def _shown(detail: "IncidentDetail") -> "list[ImpactedAlert]":
    """As many of the alerts that it explains as a screen takes, those first that it explains now."""
    return sorted(detail.impacted, key=lambda one: (not one.now, one.ref))[:_MOST_IMPACTED]


def _now(alert: "AffectedAlert") -> str:
    if alert.flapping:
        return "flapping"
    return "firing" if alert.firing else "over"


def _as_json(row: "IncidentRow") -> dict[str, Any]:
    return {
        "number": row.number,
        "state": row.state,
        "title": row.title,
        "service": row.service,
        "rule": row.rule_id,
        "key": row.key,
        "severity": row.severity,
        "impact": row.impact,
        "urgency": row.urgency,
        "priority": row.priority,
        "started": format_time(row.started_ms),
        "opened": format_time(row.opened_ms),
        "acknowledged": None if row.acknowledged_ms is None else format_time(row.acknowledged_ms),
        "resolved": None if row.resolved_ms is None else format_time(row.resolved_ms),
        "time_to_acknowledge_seconds": _seconds(row.opened_ms, row.acknowledged_ms),
        "time_to_resolve_seconds": _seconds(row.opened_ms, row.resolved_ms),
        "backend": row.backend,
        "ticket": row.ticket_number,
        "ticket_state": row.ticket_state,
        "ticket_url": row.ticket_url,
        "ticket_rejection": row.rejection,
        "returns": row.returns,
        "flapping": row.flapping,
        "merged_into": row.merged_into or None,
        "caused_by": row.caused_by or None,
    }


def _seconds(since_ms: int, until_ms: int | None) -> float | None:
    return None if until_ms is None else (until_ms - since_ms) / 1000


def _detail_as_json(detail: "IncidentDetail") -> dict[str, Any]:
    return {
        **_as_json(detail.incident),
        "runbook": detail.runbook,
        "labels": dict(detail.labels),
        "annotations": dict(detail.annotations),
        "alerts": [
            {"probe": one.ref.probe_id, "rule": one.ref.rule_id, "firing": one.firing, "flapping": one.flapping}
            for one in detail.alerts
        ],
        "impacted": [{"probe": one.ref.probe_id, "rule": one.ref.rule_id, "now": one.now} for one in detail.impacted],
        "merged": list(detail.merged),
        "timeline": [
            {
                "time": format_time(entry.at_ms),
                "what": entry.happening,
                "probe": entry.alert.probe_id,
                "rule": entry.alert.rule_id,
                "text": entry.text,
            }
            for entry in detail.timeline
        ],
        "commands": [
            {
                "command": one.kind,
                "state": one.state,
                "attempts": one.attempts,
                "created": format_time(one.created_ms),
                "done": None if one.done_ms is None else format_time(one.done_ms),
                "last_error": one.last_error,
            }
            for one in detail.commands
        ],
    }
