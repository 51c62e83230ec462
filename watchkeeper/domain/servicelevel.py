"""How services do against what is agreed, and how that is told to people and programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.availability import Adjustment, Correction, History, Measured, Outage, measure
from watchkeeper.domain.objective import ErrorBudget, budget_of
from watchkeeper.domain.period import Period
from watchkeeper.domain.service import Service
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import State
from watchkeeper.domain.units import format_time

MOST_OUTAGES: Final = 1000
"""The last so many are told one by one."""


@dataclass(frozen=True, slots=True)
class Report:
    """A service's availability in a span. `budget`: of its objective, if it has one and anything was measured."""

    service: Service
    measured: Measured
    budget: ErrorBudget | None

    @property
    def is_met(self) -> bool | None:
        """Whether the objective is kept so far; `None`: there is none, or nothing was measured."""
        return None if self.budget is None else self.budget.is_kept


@dataclass(frozen=True, slots=True)
class Level:
    """A report over one of the periods that an objective is agreed for."""

    period: Period
    report: Report


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service is now, and how it does over each period."""

    service: Service
    state: State
    levels: tuple[Level, ...]


def report_of(service: Service, history: History, span: Span, until_ms: int) -> Report:
    """The report of a span.

    Args:
        until_ms: when the period ends that the span is the past of.
    """
    measured = measure(span, history, service.availability, service.hours)
    objective = service.objectives.availability_ppm
    budget = None if objective is None else budget_of(measured, objective, service.hours, until_ms)
    return Report(service, measured, budget)


def spans_of(service: Service, now_ms: int) -> list[tuple[Period, Span, int]]:
    """The periods of a service, what of each is past, and when each ends."""
    found = []
    for period in service.objectives.availability_over:
        span = period.span(now_ms, service.hours.zone)
        found.append((period, Span(span.from_ms, now_ms), span.to_ms))
    return found


def whole_span(services: Iterable[Service], now_ms: int) -> Span:
    """What all periods of some services are in."""
    begins = [span.from_ms for service in services for _, span, _ in spans_of(service, now_ms)]
    return Span(min(begins, default=now_ms), now_ms)


def standing_of_service(service: Service, history: History, now_ms: int) -> Standing:
    """How a service does."""
    levels = tuple(
        Level(period, report_of(service, history, span, until_ms))
        for period, span, until_ms in spans_of(service, now_ms)
        if span.from_ms < now_ms
    )
    last = next((level.report.measured.stretches[-1] for level in levels if level.report.measured.stretches), None)
    return Standing(service, State.NO_DATA if last is None else last.state, levels)


def report_as_plain(report: Report) -> dict[str, Any]:
    """A report as JSON has it, for programs."""
    measured, service = report.measured, report.service
    return {
        "service": service.id,
        "title": service.title,
        **_times(*measured.span),
        "hours": service.hours.name,
        "timezone": str(service.hours.zone),
        "down_when": service.availability.describe(),
        **_figures(report),
        "outages_total": len(measured.outages),
        "outages": [_outage(one) for one in measured.outages[-MOST_OUTAGES:]],
        "adjustments": [_adjustment(one) for one in measured.adjustments],
    }


def standings_as_plain(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """How services do, as JSON has it."""
    return [
        {
            "service": one.service.id,
            "title": one.service.title,
            "owner": one.service.owner,
            "state": one.state.value,
            "hours": one.service.hours.name,
            "periods": [
                {"period": level.period.name, **_times(*level.report.measured.span), **_figures(level.report)}
                for level in one.levels
            ],
        }
        for one in standings
    ]


def correction_as_plain(correction: Correction) -> dict[str, Any]:
    """A correction as JSON has it."""
    return {
        "number": correction.number,
        "service": correction.service,
        "kind": correction.kind.value,
        **_times(correction.from_ms, correction.to_ms),
        "author": correction.author,
        "reason": correction.reason,
        "made": format_time(correction.made_ms),
        "undone": None if correction.undone_ms is None else format_time(correction.undone_ms),
        "undone_by": correction.undone_by or None,
        "undone_reason": correction.undone_reason or None,
    }


def _figures(report: Report) -> Mapping[str, Any]:
    measured = report.measured
    share = measured.availability
    return {
        "availability": None if share is None else float(share),
        "percent": measured.percent,
        "good_ms": measured.good_ms,
        "counted_ms": measured.counted_ms,
        "unknown_counts": measured.unknown.value,
        "time_ms": {state.value: measured.totals[state] for state in State},
        "objective": _budget(report),
    }


def _budget(report: Report) -> Mapping[str, Any] | None:
    objective, budget = report.service.objectives.availability_ppm, report.budget
    if objective is None:
        return None
    target = f"{objective // 10_000}.{objective % 10_000:04d} %"
    if budget is None:
        return {"target": target, "met": None}
    return {
        "target": target,
        "met": budget.is_kept,
        "allowed_ms": budget.allowed_ms,
        "spent_ms": budget.spent_ms,
        "left_ms": budget.left_ms,
        "burn": None if budget.burn is None else float(budget.burn),
        "runs_out": None if budget.runs_out_ms is None else format_time(budget.runs_out_ms),
    }


def _times(from_ms: int, to_ms: int) -> dict[str, Any]:
    return {"from": format_time(from_ms), "to": format_time(to_ms), "from_ms": from_ms, "to_ms": to_ms}


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        **_times(outage.from_ms, outage.to_ms),
        "counted_ms": outage.counted_ms,
        "causes": [
            {"probe": one.probe_id, "since": format_time(one.from_ms), "message": one.message}
            for one in outage.causes
        ],
    }


def _adjustment(one: Adjustment) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "number": one.number,
        "why": one.why,
        "author": one.author or None,
        **_times(one.from_ms, one.to_ms),
        "time_ms": one.time_ms,
        "down_ms": one.down_ms,
    }
