"""What a backtest found, as tables and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import click

from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.noise import Difference, Kind, Measure, Noise, compare, noise, noise_by_rule, open_ms
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_time
from watchkeeper.domain.watch import Plan
from watchkeeper.engine.backtest import Backtest

_MOST_SHOWN: Final = 1000  # incidents in a table
_MOST_PROBES: Final = 3


@dataclass(slots=True)
class Told:
    """A replay of [from, to), of one plan or of two that are compared. `stopped_ms`: where it was interrupted."""

    plans: Mapping[str, Plan]
    from_ms: int
    to_ms: int
    notes: list[str]
    took_s: float = 0.0
    stopped_ms: int | None = None
    backtests: dict[str, Backtest] = field(init=False)

    def __post_init__(self) -> None:
        self.backtests = {name: Backtest(plan, self.from_ms) for name, plan in self.plans.items()}

    def end(self, at_ms: int) -> None:
        """Lets the time go by until the end of the history, unless it was interrupted."""
        self.to_ms = at_ms
        if self.stopped_ms is None:
            for backtest in self.backtests.values():
                backtest.end(at_ms)

    @property
    def until_ms(self) -> int:
        return self.to_ms if self.stopped_ms is None else self.stopped_ms

    @property
    def any(self) -> Backtest:
        """Of what is the same for all."""
        return next(iter(self.backtests.values()))


def notes_on_hours(hours_ms: tuple[int, int] | None) -> list[str]:
    """What to say of the time of which there are only hours."""
    if hours_ms is None:
        return []
    begin, end = map(format_time, hours_ms)
    kept = f"between {begin} and {end} only hourly figures are kept, for some probes at least"
    return [f"{kept}: statuses are as they were, but when within an hour a value was high is not known"]


def print_report(told: Told, short_ms: int, again_ms: int, *, as_json: bool) -> None:
    measure = Measure(told.until_ms, short_ms, again_ms)
    if told.stopped_ms is not None:
        told.notes.append(f"interrupted at {format_time(told.stopped_ms)}: this is what was found until then")
    if as_json:
        print_json(_as_json(told, measure))
    elif len(told.backtests) == 1:
        _print_one(told.any.incidents, measure)
        _print_end(told)
    else:
        _print_two(told, measure)
        _print_end(told)


def _print_one(incidents: Sequence[Incident], measure: Measure) -> None:
    if not incidents:
        click.echo("no incidents")
        return
    headings = ("INCIDENT", "SERVICE", "SEVERITY", "RULE", "PROBES", "OPENED", "RESOLVED", "LASTED", "TITLE")
    print_table(headings, ((one.number, *_cells(one, measure)) for one in incidents[:_MOST_SHOWN]))
    if len(incidents) > _MOST_SHOWN:
        click.echo(f"and {len(incidents) - _MOST_SHOWN} more: --json has all")
    click.echo("")
    rows = [(rule_id, *_figures(figures).values()) for rule_id, figures in noise_by_rule(incidents, measure).items()]
    if len(rows) > 1:
        rows.append(("all", *_figures(noise(incidents, measure)).values()))
    names = _figures(noise((), measure))
    print_table(("RULE", *(name.upper() for name in names)), rows)
    _print_legend(measure)


def _print_two(told: Told, measure: Measure) -> None:
    (old_name, old), (new_name, new) = ((name, backtest.incidents) for name, backtest in told.backtests.items())
    differences = compare(old, new)
    changed = [one for one in differences if one.kind is not Kind.SAME]
    if changed:
        headings = ("CHANGE", "SERVICE", "SEVERITY", "RULE", "PROBES", "OPENED", "RESOLVED", "LASTED", "TITLE")
        print_table(headings, (_difference(one, measure) for one in changed[:_MOST_SHOWN]))
        if len(changed) > _MOST_SHOWN:
            click.echo(f"and {len(changed) - _MOST_SHOWN} more: --json has all")
        click.echo("")
    counts = {kind: sum(one.kind is kind for one in differences) for kind in Kind}
    click.echo(", ".join(f"{count} {kind}" for kind, count in counts.items()) + "\n")
    before, after = _figures(noise(old, measure)), _figures(noise(new, measure))
    print_table(("", old_name, new_name), [(name, value, after[name]) for name, value in before.items()])
    _print_legend(measure)


def _print_legend(measure: Measure) -> None:
    short, again = map(format_duration_ms, (measure.short_ms, measure.again_ms))
    click.echo(
        f"\nshort: resolved within {short} of its opening; repeats: opened within {again} of the last one's end"
    )


def _print_end(told: Told) -> None:
    for name, backtest in told.backtests.items():
        rows = [
            (rule_id, f"{count:,}", why)
            for rule_id, reasons in backtest.unanswered.items()
            for why, count in reasons.most_common()
        ]
        if rows:
            click.echo("\nWithout an answer" + (f", {name}" if name else ""))
            print_table(("RULE", "TIMES", "WHY"), rows)
    click.echo("")
    for note in told.notes:
        click.echo(f"note: {note}")
    samples, probes = told.any.samples, len(next(iter(told.plans.values())).probes)
    unknown = f", {told.any.unknown:,} of them unknown" if told.any.unknown else ""
    rate = f"{samples / told.took_s:,.0f}" if told.took_s else "?"
    click.echo(
        f"{format_time(told.from_ms)} to {format_time(told.until_ms)}: {_count(samples, 'sample')} of "
        f"{_count(probes, 'probe')}{unknown}, in {told.took_s:.1f} s ({rate} a second)"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _cells(incident: Incident, measure: Measure) -> tuple[str, ...]:
    lasted = (measure.until_ms if incident.resolved_ms is None else incident.resolved_ms) - incident.started_ms
    return (
        incident.service,
        incident.severity.value,
        incident.rule_id,
        _probes(incident),
        format_time(incident.opened_ms),
        "open" if incident.resolved_ms is None else format_time(incident.resolved_ms),
        format_elapsed_ms(lasted) + ("+" if incident.resolved_ms is None else ""),
        incident.title,
    )


def _probes(incident: Incident) -> str:
    probes = list(dict.fromkeys(ref.probe_id for ref in incident.affected))
    more = f" and {len(probes) - _MOST_PROBES} more" if len(probes) > _MOST_PROBES else ""
    return ", ".join(probes[:_MOST_PROBES]) + more


def _difference(difference: Difference, measure: Measure) -> tuple[str, ...]:
    rows = [_cells(one, measure) for one in (difference.old, difference.new) if one is not None]
    return (difference.kind.value, *(_arrow(cells) for cells in zip(*rows, strict=True)))


def _arrow(cells: Iterable[str]) -> str:
    """What was and what is, once where both are alike."""
    return " → ".join(dict.fromkeys(cells))


def _figures(figures: Noise) -> dict[str, str]:
    return {
        "incidents": f"{figures.incidents:,}",
        "still open": f"{figures.still_open:,}",
        "median": format_elapsed_ms(figures.median_ms),
        "longest": format_elapsed_ms(figures.longest_ms),
        "time open": format_elapsed_ms(figures.open_ms),
        "short": f"{figures.short:,}",
        "repeats": f"{figures.repeats:,}",
        "returns": f"{figures.returns:,}",
    }


def _as_json(told: Told, measure: Measure) -> dict[str, Any]:
    backtests = told.backtests
    report: dict[str, Any] = {
        "from": format_time(told.from_ms),
        "to": format_time(told.until_ms),
        "interrupted": told.stopped_ms is not None,
        "notes": told.notes,
        "samples": told.any.samples,
        "unknown_samples": told.any.unknown,
        "seconds": round(told.took_s, 3),
        "samples_per_second": round(told.any.samples / told.took_s) if told.took_s else None,
    }
    results = {name: _result_as_json(backtest, measure) for name, backtest in backtests.items()}
    if len(results) == 1:
        return {**report, **next(iter(results.values()))}
    old, new = (backtest.incidents for backtest in backtests.values())
    return {
        **report,
        "compared": list(results),
        "old": next(iter(results.values())),
        "new": list(results.values())[1],
        "differences": [
            {
                "change": one.kind.value,
                "old": None if one.old is None else _incident_as_json(one.old, measure),
                "new": None if one.new is None else _incident_as_json(one.new, measure),
            }
            for one in compare(old, new)
        ],
    }


def _result_as_json(backtest: Backtest, measure: Measure) -> dict[str, Any]:
    incidents = backtest.incidents
    return {
        "incidents": [_incident_as_json(one, measure) for one in incidents],
        "total": _noise_as_json(noise(incidents, measure)),
        "by_rule": {rule: _noise_as_json(figures) for rule, figures in noise_by_rule(incidents, measure).items()},
        "unanswered": [
            {"rule": rule_id, "times": count, "why": why}
            for rule_id, reasons in backtest.unanswered.items()
            for why, count in reasons.most_common()
        ],
    }


def _incident_as_json(incident: Incident, measure: Measure) -> dict[str, Any]:
    return {
        "number": incident.number,
        "key": incident.key,
        "service": incident.service,
        "severity": incident.severity.value,
        "rule": incident.rule_id,
        "probes": list(dict.fromkeys(ref.probe_id for ref in incident.affected)),
        "title": incident.title,
        "started": format_time(incident.started_ms),
        "opened": format_time(incident.opened_ms),
        "resolved": None if incident.resolved_ms is None else format_time(incident.resolved_ms),
        "open_seconds": open_ms(incident, measure.until_ms) / 1000,
        "returns": incident.returns,
    }


def _noise_as_json(figures: Noise) -> dict[str, Any]:
    """Times in seconds."""
    numbers = asdict(figures)
    return {
        name.replace("_ms", "_seconds"): value / 1000 if name.endswith("_ms") else value
        for name, value in numbers.items()
    }
