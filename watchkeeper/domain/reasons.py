"""Why an alert is as it is, in words: for whoever expected something else."""

from collections.abc import Iterator

from watchkeeper.domain.alert import Alert, AlertState, Verdict, deadline
from watchkeeper.domain.outcome import since_start
from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.domain.rehearsal import Rehearsal
from watchkeeper.domain.rule import Hold, Match, Rule
from watchkeeper.domain.subject import Binding, Subject


def why(rehearsal: Rehearsal, rule_id: str, probe_id: str, start_ms: int) -> str:
    """One sentence about a rule on a probe, both of which there are."""
    return f"{rule_id} on {probe_id}: {_why(rehearsal, rule_id, probe_id, start_ms)}"


def _why(rehearsal: Rehearsal, rule_id: str, probe_id: str, start_ms: int) -> str:
    plan = rehearsal.watch.plan
    rule, probe = plan.rules[rule_id], plan.probes[probe_id]
    if not rule.match(probe):
        return f"the rule does not look at this probe: {', '.join(_mismatches(rule.match, probe))}"
    subject = rehearsal.watch.subjects[probe_id]
    binding = next(one for one in subject.bindings if one.rule.id == rule_id)
    if subject.sample is None:
        return "the probe has not run yet"
    alert = binding.alert
    state = alert.state.value
    if alert.state is not AlertState.INACTIVE:
        state += f" since {since_start(alert.since_ms, start_ms)}"
    said = "; ".join(_said(subject, binding, start_ms))
    silent = _silence(subject, rehearsal.now_ms, start_ms)
    return f"{state}; {said}{silent or _waits(alert, rule.hold, start_ms)}"


def _said(subject: Subject, binding: Binding, start_ms: int) -> Iterator[str]:
    """What the last sample was, and what the rule said of it."""
    sample = subject.sample
    assert sample is not None
    yield f"the last sample, at {since_start(sample.at_ms, start_ms)}, was {_shown(sample)}"
    verdict, unanswered = _judge(subject, binding, sample)
    if verdict is Verdict.UNKNOWN:
        yield f"the rule had no answer: {unanswered or 'what is unknown ends nothing'}"
        return
    rule = binding.rule
    is_relief = rule.resolve_when and binding.alert.state is AlertState.FIRING
    name, text = ("resolve_when", rule.resolve_when) if is_relief else ("when", rule.when)
    holds = (verdict is Verdict.OVER) if is_relief else (verdict is Verdict.HOLDS)
    yield f"`{name}` ({' '.join(text.split())}) {'held' if holds else 'did not hold'}"


def _judge(subject: Subject, binding: Binding, sample: Sample) -> tuple[Verdict, str]:
    """What the rule says of a sample, and why it says nothing. The binding is left as it was."""
    before, binding.unanswered = binding.unanswered, ""
    verdict = binding.judge(subject.scope(sample, sample.at_ms))
    unanswered, binding.unanswered = binding.unanswered, before
    return verdict, unanswered


def _shown(sample: Sample) -> str:
    values = ", ".join(f"{name}={value:g}" for name, value in sample.values.items())
    return f"{sample.status}{f' with {values}' if values else ''}"


def _silence(subject: Subject, now_ms: int, start_ms: int) -> str:
    since_ms = subject.unheard_since(now_ms)
    return (
        ""
        if since_ms is None
        else f"; nothing was heard after that, so clocks stand since {since_start(since_ms, start_ms)}"
    )


def _waits(alert: Alert, hold: Hold, start_ms: int) -> str:
    """Which clock runs, or stands."""
    if alert.stalled_since_ms is not None:
        return f"; its clock stands since {since_start(alert.stalled_since_ms, start_ms)}"
    if alert.state is AlertState.PENDING and hold.failures > 1:
        return f"; it fires when this is so in {hold.failures} of {hold.of} samples"
    if alert.state is AlertState.FIRING and alert.is_flapping:
        return "; it flaps, and is not over before it has calmed down"
    if (due_ms := deadline(alert, hold)) is None:
        return ""
    what = "fires" if alert.state is AlertState.PENDING else "is over"
    return f"; it {what} at {since_start(due_ms, start_ms)} if this goes on"


def _mismatches(match: Match, probe: Probe) -> Iterator[str]:
    """In what a probe is not what a rule looks at."""
    for name in ("category", "prober", "service"):
        wanted, has = getattr(match, name), getattr(probe, name)
        if wanted is not None and not Match(**{name: wanted})(probe):
            yield f"its {name} is {has}, not {wanted}"
    if match.probe is not None and not Match(probe=match.probe)(probe):
        yield f"its id is not {match.probe}"
    for name, value in match.labels.items():
        if probe.labels.get(name) != value:
            yield f"its label {name} is {probe.labels.get(name, 'not set')}, not {value}"


def about(rule: Rule, rehearsal: Rehearsal) -> list[str]:
    """The probes that a rule looks at."""
    return [probe.id for probe in rehearsal.watch.plan.probes.values() if rule.match(probe)]
