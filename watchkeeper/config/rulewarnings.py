"""What is odd about one rule and its probes: times that do not go together, figures that are missing."""

from collections.abc import Iterator, Mapping
from typing import Final

from watchkeeper.config.codes import Code
from watchkeeper.config.document import Path_
from watchkeeper.config.pace import described, some
from watchkeeper.config.problems import Problem
from watchkeeper.config.seenrule import SeenRule, calls_in
from watchkeeper.config.vocabulary import FUNCTIONS
from watchkeeper.domain.rule import Template
from watchkeeper.domain.service import Service
from watchkeeper.domain.units import format_duration_ms

_ENOUGH: Final = 3  # samples in a window that says more than the last one


def hold_warnings(seen: SeenRule) -> Iterator[Problem]:
    """Waits that are over before the probe is looked at again."""
    hold = seen.rule.hold
    hasty = [herd for herd in seen.herds if hold.for_ms <= herd.pace.interval_ms]
    if hold.for_ms and hold.failures == 1 and hasty:
        message = (
            f"{format_duration_ms(hold.for_ms)} is over by the next sample of {described(hasty)}: "
            "the alert fires without a second look; make it longer, or count samples instead: {failures: 2}"
        )
        yield seen.warning(Code.FOR_WITHIN_INTERVAL, ("for",), message)
    silent = [herd for herd in seen.herds if hold.no_data_ms and hold.no_data_ms <= herd.pace.interval_ms]
    if silent and hold.no_data_ms:
        pace = silent[0].pace
        enough = format_duration_ms(2 * pace.interval_ms + pace.timeout_ms)
        message = (
            f"{format_duration_ms(hold.no_data_ms)} is over between two runs of {described(silent)}: "
            f"it alerts though nothing is missing; make it longer, such as {enough}"
        )
        yield seen.warning(Code.NO_DATA_WITHIN_INTERVAL, ("no_data", "alert_after"), message)


def window_warnings(seen: SeenRule) -> Iterator[Problem]:
    """Windows that hold one sample."""
    for key, text in seen.conditions:
        for call in calls_in(text):
            poor = [herd for herd in seen.herds if call.span_ms <= herd.pace.interval_ms]
            if not poor:
                continue
            least = FUNCTIONS[call.function].least
            needs = f", and {call.function} needs {least}" if least > 1 else ""
            enough = format_duration_ms(max(_ENOUGH, least + 1) * poor[0].pace.interval_ms)
            message = (
                f"a window of {format_duration_ms(call.span_ms)} holds hardly more than one sample of "
                f"{described(poor)}{needs}; make it longer, {enough} or more"
            )
            yield seen.warning(Code.WINDOW_WITHIN_INTERVAL, (key,), message, call.window_at)


def retention_warnings(seen: SeenRule, kept_ms: int) -> Iterator[Problem]:
    """Windows that can not be filled again after a restart. `kept_ms`: for how long numbers are stored."""
    advice = (
        f"is longer than the {format_duration_ms(kept_ms)} for which numbers are kept, and not full after a restart; "
        "shorten it, or lengthen retention.rollups"
    )
    for key, text in seen.conditions:
        for call in calls_in(text):
            if call.span_ms > kept_ms:
                message = f"a window of {format_duration_ms(call.span_ms)} {advice}"
                yield seen.warning(Code.WINDOW_BEYOND_RETENTION, (key,), message, call.window_at)
    for place, template in _templates(seen):
        longest = max(template.spans_ms.values(), default=0)
        if longest > kept_ms:
            message = f"a window of {format_duration_ms(longest)} {advice}"
            yield seen.warning(Code.WINDOW_BEYOND_RETENTION, place, message)


def objective_warnings(seen: SeenRule, services: Mapping[str, Service]) -> Iterator[Problem]:
    """Questions for the error budget of services that have none."""
    for key, text in seen.conditions:
        asking = [call for call in calls_in(text) if call.function == "burn_rate"]
        if not asking:
            continue
        matched = dict.fromkeys(probe.service for probe, _ in seen.matched)
        without = [name for name in matched if services[name].objectives.availability_ppm is None]
        if without:
            what = "service" if len(without) == 1 else "services"
            message = (
                f"burn_rate has no answer for the {what} {some(without)} without objectives.availability; "
                "set that, or match other services"
            )
            yield seen.warning(Code.NO_OBJECTIVE, (key,), message, asking[0].name_at)


def escalation_warnings(seen: SeenRule) -> Iterator[Problem]:
    """Steps that do not change how soon somebody looks."""
    policy = seen.rule.incident
    if policy.escalation and policy.impact is not None and policy.urgency is not None:
        message = (
            "changes the severity only: the priority stays, as incident.impact and incident.urgency are set; "
            "remove one of them, or the steps"
        )
        yield seen.warning(Code.ESCALATION_WITHOUT_EFFECT, ("escalate",), message)


def _templates(seen: SeenRule) -> Iterator[tuple[Path_, Template]]:
    yield ("title",), seen.rule.title
    for key, texts in (("labels", seen.rule.labels), ("annotations", seen.rule.annotations)):
        yield from (((key, name), template) for name, template in texts.items())
