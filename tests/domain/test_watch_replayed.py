"""Whatever is heard, and however late clocks are served: one open incident for each key, and the same tickets."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.made import When, is_full, plan, probe, rule, sample
from watchkeeper.domain.alert import Alert, AlertState, stall
from watchkeeper.domain.effect import AlertChanged, Effect, IncidentChanged
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Escalation, Hold, IncidentPolicy, Scope, Severity, Thresholds
from watchkeeper.domain.ticket import Command, CommandKind
from watchkeeper.domain.watch import Watch
from watchkeeper.domain.window import Unanswerable


def is_low(scope: Scope) -> bool:
    if (used := scope.sample.values.get("used")) is None:
        raise Unanswerable("no used")
    return used < 60


PLAN = plan(
    *(probe(name) for name in "abc"),
    rule("now", group_by=("service",)),
    rule("later", hold=Hold(25, 40)),
    rule("full", is_full, hold=Hold(0, 15), group_by=("rule",)),
    rule("both", is_full, hold=Hold(30, 0), group_by=("service",)),
    rule("some", is_full, hold=Hold(failures=2, of=3, no_data_ms=60, flapping=Thresholds(0.2, 0.1))),
    replace(
        rule("worse", hold=Hold(0, 20)), incident=IncidentPolicy(escalation=(Escalation(25, Severity.CRITICAL),))
    ),
    replace(rule("band", is_full), relief={"http": When(is_low)}, incident=IncidentPolicy(key="one")),
    replace(rule("same"), severity=Severity.CRITICAL, incident=IncidentPolicy(key="one")),
)
END_MS = 10_000


def heard(at_ms: int, status: Status, name: str, used: float | None) -> Sample:
    return sample(at_ms, status, name) if used is None else sample(at_ms, status, name, used=used)


STATUSES = st.sampled_from(list(Status))
USED = st.sampled_from((None, 50, 95))
SAMPLES = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from("abc"), STATUSES, USED),
    max_size=40,
).map(
    lambda drawn: [
        heard(sum(gap for gap, *_ in drawn[: n + 1]), status, name, used)
        for n, (_, name, status, used) in enumerate(drawn)
    ]
)  # fmt: skip


def run(watch: Watch, samples: Sequence[Sample], timers: Iterable[int]) -> list[Effect]:
    """What follows, with clocks looked at at some times: before the samples of these times."""
    effects: list[Effect] = []
    rest = sorted(timers)
    for one in samples:
        while rest and rest[0] < one.at_ms:
            effects += watch.advance(rest.pop(0))
        effects += watch.observe(one)
    for at_ms in rest:
        effects += watch.advance(at_ms)
    return effects


def fresh() -> Watch:
    watch = Watch(PLAN)
    watch.revise(PLAN, 0)
    return watch


@settings(max_examples=250, deadline=None, derandomize=True)
@given(SAMPLES, st.lists(st.integers(0, 900), max_size=30))
def test_the_same_samples_give_the_same_effects_however_late_clocks_are_served(
    samples: list[Sample], timers: list[int]
) -> None:
    at_samples = {one.at_ms for one in samples}
    late = run(fresh(), samples, [END_MS])
    prompt = run(fresh(), samples, [*(at_ms for at_ms in timers if at_ms not in at_samples), END_MS])
    assert prompt == late


@settings(max_examples=250, deadline=None, derandomize=True)
@given(SAMPLES)
def test_there_is_one_open_incident_for_each_key_and_it_ends_with_its_last_alert(samples: list[Sample]) -> None:
    watch, open_now = fresh(), dict[str, int]()
    created, resolved = Counter[int](), Counter[int]()
    for effect in run(watch, samples, [END_MS]):
        if isinstance(effect, IncidentChanged):
            incident = effect.incident
            assert open_now.setdefault(incident.key, incident.id) == incident.id
            assert bool(incident.firing) == (incident.state is IncidentState.OPEN)
            if incident.state is IncidentState.RESOLVED:
                del open_now[incident.key]
        elif isinstance(effect, Command):
            assert effect.incident_id is not None
            (created if effect.kind is CommandKind.CREATE else resolved)[effect.incident_id] += (
                effect.kind is not CommandKind.UPDATE
            )
    assert open_now == {key: incident.id for key, incident in watch.incidents.items()}
    assert set(created.values()) <= {1}
    assert all(count <= 1 for count in resolved.values())
    firing = {
        binding.alert.ref
        for subject in watch.subjects.values()
        for binding in subject.bindings
        if binding.alert.state is AlertState.FIRING
    }
    assert firing == {ref for incident in watch.incidents.values() for ref in incident.firing}


@settings(max_examples=250, deadline=None, derandomize=True)
@given(SAMPLES, st.integers(0, 40))
def test_a_restart_at_any_moment_opens_nothing_twice(samples: list[Sample], cut: int) -> None:
    watch, stored = fresh(), dict[object, Alert]()
    before = run(watch, samples[:cut], ())
    for effect in before:
        if isinstance(effect, AlertChanged):
            stored[effect.after.ref] = effect.after
    again = Watch(
        PLAN,
        open_alerts=[stall(one, one.since_ms) for one in stored.values() if one.state is not AlertState.INACTIVE],
        open_incidents=list(watch.incidents.values()),
        next_incident_id=1000,
    )
    now_ms = samples[cut - 1].at_ms if 0 < cut <= len(samples) else 0
    assert again.revise(PLAN, now_ms) == []
    assert again.incidents == watch.incidents
    open_keys = set(again.incidents)
    for effect in run(again, samples[cut:], [END_MS]):
        if isinstance(effect, Command) and effect.kind is CommandKind.CREATE:
            assert effect.incident_id is not None
            assert effect.incident_id >= 1000
        if isinstance(effect, IncidentChanged):
            key = effect.incident.key
            assert (key in open_keys) == (effect.happening.value != "opened")
            open_keys.add(key)
            if effect.incident.state is IncidentState.RESOLVED:
                open_keys.remove(key)
