"""Figures of availability, as tables show them."""

from typing import TYPE_CHECKING

from watchkeeper.domain.timeline import State
from watchkeeper.domain.units import format_duration_ms, format_time

if TYPE_CHECKING:
    from watchkeeper.domain.servicelevel import Report


def state_word(state: State) -> str:
    """A state, in words."""
    return {State.NO_DATA: "no data", State.OUTSIDE: "outside its hours"}.get(state, state.value)


def budget_cells(report: "Report") -> tuple[str, str, str, str, str]:
    """Objective, availability, what is left, burn rate, and when it runs out."""
    objective, budget = report.service.objectives.availability_ppm, report.budget
    percent = report.measured.percent
    if objective is None:
        return "", percent, "", "", ""
    target = f"{objective // 10_000}.{objective % 10_000:04d} %"
    if budget is None:
        return target, percent, "", "", ""
    burn = "" if budget.burn is None else f"{float(budget.burn):.2f}"
    runs_out = "" if budget.runs_out_ms is None else format_time(budget.runs_out_ms)
    return target, percent, format_duration_ms(budget.left_ms), burn, runs_out
