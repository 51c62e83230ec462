"""Whatever fails in whatever order, and whenever somebody looks: the open incidents are those that a model has which
compares everything with everything, and stays so over restarts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.made import When, plan, probe, rule, sample
from watchkeeper.domain.alert import Alert, AlertRef, AlertState, stall
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.domain.incident import Incident, IncidentState
from watchkeeper.domain.plan import CorrelationPolicy
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Rule, Scope, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import Command, CommandKind, TicketSeen, TicketState
from watchkeeper.domain.watch import Watch

WAIT_MS, JOINING_MS, PATIENCE_MS = 3_000, 1_000, 70_000
SERVICES = (
    Service("db", "db"),
    Service("shop", "shop", depends_on=("db",)),
    Service("app", "app", depends_on=("shop",)),
    Service("net", "net"),
)
PROBES = (
    probe("db-1", "db"),
    probe("db-2", "db"),
    replace(probe("shop-1", "shop"), parents=("gw",)),
    probe("shop-2", "shop"),
    probe("app-1", "app"),
    probe("gw", "net"),
)


def is_slow(scope: Scope) -> bool:
    return scope.sample.values["slow"] > 0


RULES: tuple[Rule, ...] = (
    rule("down"),
    replace(rule("slow", When(is_slow), group_by=("service",)), severity=Severity.MINOR),
)
PLAN = replace(plan(*SERVICES, *PROBES, *RULES), correlation=CorrelationPolicy(WAIT_MS, 60_000))
SERVICE_OF = {one.id: one.service for one in PROBES}
ABOVE = {"db": set(), "shop": {"db"}, "app": {"db", "shop"}, "net": set()}


class Heard(NamedTuple):
    at_ms: int
    probe: str
    down: bool
    slow: bool


def key_of(ref: AlertRef) -> str:
    return f"down/probe={ref.probe_id}" if ref.rule_id == "down" else f"slow/service={SERVICE_OF[ref.probe_id]}"


def may_cause(cause: AlertRef, ref: AlertRef) -> bool:
    """By the definition: health, at least major, and upstream."""
    if cause.rule_id != "down":
        return False
    by_parent = ref.probe_id == "shop-1" and cause.probe_id == "gw"
    return by_parent or SERVICE_OF[cause.probe_id] in ABOVE[SERVICE_OF[ref.probe_id]]


@dataclass
class One:
    key: str | None = None  # of the incident that it is part of
    told: str | None = None  # of the incident that tells of it
    ripe_ms: int | None = None
    released: bool = False


@dataclass
class Model:
    """Everything is compared with everything, each time that something happens."""

    windows: Sequence[Window] = ()
    firing: dict[AlertRef, One] = field(default_factory=dict)

    def open_keys(self) -> set[str]:
        return {one.key for one in self.firing.values() if one.key is not None}

    def covered(self, ref: AlertRef, now: int) -> Window | None:
        there = [
            window
            for window in self.windows
            if window.from_ms <= now < window.to_ms and SERVICE_OF[ref.probe_id] in window.selection.services
        ]
        return max(there, key=lambda window: (window.to_ms, window.id), default=None)

    def explains(self, cause: AlertRef, now: int) -> bool:
        window = None if self.firing[cause].key is not None else self.covered(cause, now)
        return window is None or window.because is not Because.SILENCE

    def causes(self, ref: AlertRef, now: int) -> list[AlertRef]:
        return [one for one in self.firing if one != ref and may_cause(one, ref) and self.explains(one, now)]

    def advance(self, until_ms: int) -> None:
        while due := [at for at in self.dues() if at <= until_ms]:
            self.settle(min(due))

    def dues(self) -> list[int]:
        ripe = [one.ripe_ms for one in self.firing.values() if one.ripe_ms is not None]
        edges = [at for window in self.windows for at in (window.from_ms, window.to_ms) if at > self.now]
        return ripe + edges

    now: int = 0

    def hear(self, heard: Heard) -> None:
        self.advance(heard.at_ms - 1)
        for rule_id, holds in (("down", heard.down), ("slow", heard.slow)):
            ref = AlertRef(rule_id, heard.probe)
            if holds and ref not in self.firing:
                self.firing[ref] = One()
            elif not holds and ref in self.firing:
                self.join_first(key_of(ref), heard.at_ms)
                del self.firing[ref]
            self.settle(heard.at_ms, ripen=False)

    def join_first(self, key: str, now: int) -> None:
        """Those that are about to join do so before the last one leaves."""
        if key in self.open_keys():
            for ref, one in self.firing.items():
                if one.ripe_ms is not None and key_of(ref) == key:
                    one.key, one.ripe_ms = key, None

    def settle(self, now: int, *, ripen: bool = True) -> None:
        self.now = now
        self.place(now)
        while True:
            ripe = [ref for ref, one in self.firing.items() if one.ripe_ms is not None and one.ripe_ms <= now]
            if not ripe or not ripen:
                break
            keys = {key_of(ref) for ref in ripe}
            for ref, one in self.firing.items():
                if one.ripe_ms is not None and key_of(ref) in keys:
                    one.key, one.ripe_ms = key_of(ref), None
            self.place(now)
        self.adopt(now)

    def place(self, now: int) -> None:
        for ref, one in self.firing.items():
            if one.key is not None:
                continue
            if self.covered(ref, now) is not None:
                one.ripe_ms, one.told, one.released = None, None, False
            elif self.causes(ref, now):
                one.ripe_ms, one.released = None, True
            elif one.ripe_ms is None:
                wait_ms = PATIENCE_MS if one.released else WAIT_MS
                if key_of(ref) in self.open_keys():
                    wait_ms = min(wait_ms, JOINING_MS)
                one.ripe_ms, one.told, one.released = -(-(now + wait_ms) // 100) * 100, None, False
        self.adopt(now)

    def adopt(self, now: int) -> None:
        changed = True
        while changed:
            changed = False
            for ref, one in self.firing.items():
                if one.told is not None and one.told not in self.open_keys():
                    one.told, changed = None, True
                tellers = {self.firing[cause].key or self.firing[cause].told for cause in self.causes(ref, now)}
                tellers -= {None, one.key}
                if tellers and (one.key is not None or (one.told is None and self.covered(ref, now) is None)):
                    one.key, one.told, one.ripe_ms, one.released = None, min(t for t in tellers if t), None, True
                    changed = True


def in_turn(drawn: Sequence[tuple[int, str, bool, bool]]) -> list[Heard]:
    heard, at_ms = [], 1_000
    for gap_ms, name, down, slow in drawn:
        at_ms += gap_ms
        heard.append(Heard(at_ms, name, down, slow))
    return heard


HEARD = st.lists(
    st.tuples(
        st.sampled_from((1, 40, 700, 4_000, 5_000, 60_000)),
        st.sampled_from([one.id for one in PROBES]),
        st.sampled_from((True, True, True, False)),
        st.sampled_from((False, False, True)),
    ),
    min_size=3,
    max_size=25,
).map(in_turn)
WINDOWS = st.lists(
    st.builds(
        lambda because, service, begin, length: Window(
            because, f"{service}-{begin}-{length}", "", begin, begin + length, Selection(frozenset({service}))
        ),
        st.sampled_from(list(Because)),
        st.sampled_from(("db", "shop", "net")),
        st.sampled_from((0, 3_050, 11_017)),
        st.sampled_from((2_000, 30_000, 150_000)),
    ),
    max_size=2,
    unique_by=lambda window: window.id,
)


def hear(watch: Watch, heard: Heard) -> list[Effect]:
    status = Status.DOWN if heard.down else Status.UP
    return watch.observe(sample(heard.at_ms, status, heard.probe, slow=float(heard.slow)))


def begun(windows: Sequence[Window]) -> Watch:
    watch = Watch(PLAN)
    watch.revise(PLAN, 0)
    watch.expect(windows, 0)
    return watch


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(HEARD, WINDOWS)
def test_the_open_incidents_are_those_of_the_model(heard: list[Heard], windows: list[Window]) -> None:
    watch, model, effects = begun(windows), Model(windows), list[Effect]()
    for one in heard:
        effects += hear(watch, one)
        model.hear(one)
        assert set(watch.incidents) == model.open_keys(), one
    end_ms = (heard[-1].at_ms if heard else 0) + 500_000
    effects += watch.advance(end_ms)
    model.advance(end_ms)
    assert set(watch.incidents) == model.open_keys()
    assert_sound(watch.incidents.values(), effects)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(HEARD, WINDOWS, st.lists(st.tuples(st.integers(0, 24), st.integers(0, 9), st.sampled_from(list(TicketState)))))
def test_whatever_people_do_to_tickets_there_is_one_open_incident_for_each_trouble(
    heard: list[Heard], windows: list[Window], people: list[tuple[int, int, TicketState]]
) -> None:
    watch, model, effects = begun(windows), Model(windows), list[Effect]()
    for n, one in enumerate(heard):
        effects += hear(watch, one)
        model.hear(one)
        for _, which, state in (did for did in people if did[0] == n):
            incidents = list(watch.incidents.values())
            if incidents:
                incident = incidents[which % len(incidents)]
                effects += watch.ticket_seen(TicketSeen(incident.id, "T", state, "alice", one.at_ms))
        assert set(watch.incidents) == model.open_keys(), one
    end_ms = (heard[-1].at_ms if heard else 0) + 5_000_000  # people's tickets are taken up again meanwhile
    effects += watch.advance(end_ms)
    model.advance(end_ms)
    assert set(watch.incidents) == model.open_keys()
    created = [one.incident_id for one in effects if isinstance(one, Command) and one.kind is CommandKind.CREATE]
    opened = [
        effect.incident.id
        for effect in effects
        if isinstance(effect, IncidentChanged) and effect.happening is Happening.OPENED
    ]
    assert created == opened
    assert len(opened) == len(set(opened))


def assert_sound(open_: Iterable[Incident], effects: Sequence[Effect]) -> None:
    """Each incident has one ticket, which is resolved when it is over and not before; what merged, merged into what
    was open; and what is part of an incident is part of one."""
    changed = [effect for effect in effects if isinstance(effect, IncidentChanged)]
    commands = [effect for effect in effects if isinstance(effect, Command)]
    for incident in {effect.incident.id: effect.incident for effect in changed}.values():
        kinds = [one.kind for one in commands if one.incident_id == incident.id]
        assert kinds[0] is CommandKind.CREATE
        assert kinds.count(CommandKind.CREATE) == 1
        assert kinds.count(CommandKind.RESOLVE) == (incident.state is IncidentState.RESOLVED)
        assert CommandKind.RESOLVE not in kinds[:-1]
    ids_open: set[int] = set()
    for effect in changed:
        if effect.happening is Happening.MERGED:
            assert effect.incident.merged_into in ids_open - {effect.incident.id}
        (ids_open.add if effect.incident.state is IncidentState.OPEN else ids_open.discard)(effect.incident.id)
    parts = [ref for incident in open_ for ref in (*incident.firing, *incident.impacted)]
    assert len(parts) == len(set(parts))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from([one.id for one in PROBES]), st.booleans()), max_size=4, unique_by=lambda t: t[0]
    )
)
def test_what_fails_within_the_wait_is_the_same_in_every_order(failing: list[tuple[str, bool]]) -> None:
    outcomes = []
    for order in permutations(failing):
        watch = begun(())
        for n, (name, slow) in enumerate(order):
            hear(watch, Heard(10_000 + 200 * n, name, down=True, slow=slow))
        watch.advance(100_000)
        outcomes.append({key: incident.firing for key, incident in watch.incidents.items()})
    assert all(one == outcomes[0] for one in outcomes)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(HEARD, WINDOWS, st.integers(0, 30))
def test_a_restart_changes_nothing_that_is_open(heard: list[Heard], windows: list[Window], at: int) -> None:
    watch = begun(windows)
    effects = [effect for one in heard[:at] for effect in hear(watch, one)]
    now = heard[min(at, len(heard)) - 1].at_ms if heard and at else 0
    last: dict[AlertRef, Alert] = {one.after.ref: one.after for one in effects if isinstance(one, AlertChanged)}
    alive = [stall(one, now) for one in last.values() if one.state is not AlertState.INACTIVE]
    again = Watch(PLAN, open_alerts=alive, open_incidents=watch.incidents.values(), next_incident_id=1000)
    begun_again = again.revise(PLAN, now + 1) + again.expect(windows, now + 1)
    before = dict(watch.incidents)
    assert not any(isinstance(one, Command) and one.kind is CommandKind.CREATE for one in begun_again)
    assert set(again.incidents) <= set(before)
    for one in heard[at:]:
        effects += hear(again, one._replace(at_ms=one.at_ms + 2))
    effects = begun_again + again.advance(10_000_000)
    # In the end both say the same of what fails, if nothing is heard any more.
    for one in heard[at:]:
        hear(watch, one)
    watch.advance(10_000_000)
    heard_again = {one.probe for one in heard[at:]}
    unheard = {ref.probe_id for ref in last if ref.probe_id not in heard_again}
    if not unheard:
        assert set(again.incidents) == set(watch.incidents)
