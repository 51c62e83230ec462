"""What would be asked of a ticket system if a rule fired on a sample: the ticket, and the change that resolves it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from watchkeeper.domain.alert import Alert, AlertRef, AlertState, Verdict
from watchkeeper.domain.casebook import Casebook
from watchkeeper.domain.correlation import incident_key
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.opening import Entry
from watchkeeper.domain.probe import Sample
from watchkeeper.domain.rule import Rule
from watchkeeper.domain.ticket import Command, TicketChange, TicketDraft, TicketKind
from watchkeeper.domain.watch import Plan, Watch

_LASTS_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Preview:
    """`verdict`: what the rule says of the sample, as if it were the first; `why`: it has no answer. The ticket is
    that of a new incident, and `change` comes when it is over five minutes later."""

    backend: str
    verdict: Verdict
    why: str
    draft: TicketDraft
    change: TicketChange


def preview(plan: Plan, rule: Rule, sample: Sample) -> Preview:
    """What would be asked for, by the code that decides it otherwise, whatever the rule says of the sample."""
    probe = plan.probes[sample.probe_id]
    alone = replace(plan, probes={probe.id: probe}, rules={rule.id: rule})
    watch = Watch(alone)
    watch.revise(alone, sample.at_ms)
    watch.observe(sample)
    subject = watch.subjects[probe.id]
    scope = subject.scope(sample, sample.at_ms)
    [binding] = subject.bindings
    verdict = binding.judge(scope)
    alert = Alert(AlertRef(rule.id, probe.id), AlertState.FIRING, since_ms=sample.at_ms, active_since_ms=sample.at_ms)
    casebook = Casebook((), 1, plan)
    key = incident_key(rule, probe)
    create = _command(casebook.begin(key, [Entry(alert, rule, scope)], sample.at_ms))
    over = replace(alert, state=AlertState.INACTIVE, since_ms=sample.at_ms + _LASTS_MS)
    resolve = _command(casebook.over(over, "(what the probe says then)"))
    assert isinstance(create.payload, TicketDraft)
    assert isinstance(resolve.payload, TicketChange)
    why = binding.unanswered if verdict is Verdict.UNKNOWN else ""
    # The outbox gives each change a key of its own.
    return Preview(create.backend, verdict, why, create.payload, replace(resolve.payload, key=f"{create.key}-2"))


def as_of_problem(shown: Preview) -> Preview:
    """The same as a backend would get it for a problem, of which watchkeeper does not say when it is over."""
    draft = replace(shown.draft, kind=TicketKind.PROBLEM)
    return replace(shown, draft=draft, change=replace(shown.change, state=None))


def _command(effects: Sequence[Effect]) -> Command:
    [command] = [effect for effect in effects if isinstance(effect, Command)]
    return command
