"""Alerts that others report: what becomes of them, in whatever order they are heard of."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.made import SHOP, plan, probe, rule, sample
from watchkeeper.domain.alert import Alert, AlertRef, AlertState
from watchkeeper.domain.effect import AlertChanged, Effect, IncidentChanged, ReportChanged, ReportGone
from watchkeeper.domain.expected import Because, Matcher, Operator, Selection, Window
from watchkeeper.domain.foreign import MOST_FIRING, MOST_OVER, TooManyAlerts
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.plan import CorrelationPolicy
from watchkeeper.domain.probe import Status
from watchkeeper.domain.report import Report, ReportState, SourcePolicy
from watchkeeper.domain.rule import Named, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import Command, CommandKind, TicketDraft
from watchkeeper.domain.watch import Plan, Watch

FIRING, OVER = ReportState.FIRING, ReportState.OVER
LATE_MS = 120_000
AM = SourcePolicy("alertmanager", "shop", late_ms=LATE_MS)
SHOP_AND_BANK = plan(SHOP, Service("bank", "Bank"))


def plan_of(policy: SourcePolicy | None = AM, base: Plan = SHOP_AND_BANK, group_wait_ms: int = 0) -> Plan:
    sources = {} if policy is None else {"am": policy}
    return replace(base, sources=sources, correlation=CorrelationPolicy(group_wait_ms=group_wait_ms))


def watch_of(one: Plan) -> Watch:
    watch = Watch(one)
    assert watch.revise(one, 0) == []
    return watch


def firing(key: str = "a", at_ms: int = 1000, **more: object) -> Report:
    said = {"rule": "HighLatency", "title": f"{key} is slow", "began_ms": at_ms, "message": "p99 is 3 s", **more}
    return Report("am", key, FIRING, at_ms, **said)  # type: ignore[arg-type]  # what the test says


def over(key: str = "a", at_ms: int = 9000) -> Report:
    return Report("am", key, OVER, at_ms, message="it is well again")


def happenings(effects: Iterable[Effect]) -> list[tuple[str, int]]:
    return [(one.happening.value, one.incident.id) for one in effects if isinstance(one, IncidentChanged)]


def drafts(effects: Iterable[Effect]) -> list[TicketDraft]:
    return [one.payload for one in effects if isinstance(one, Command) and isinstance(one.payload, TicketDraft)]


def test_an_alert_that_is_reported_opens_one_incident_and_its_end_resolves_it() -> None:
    watch = watch_of(plan_of())
    opened = watch.report(
        firing(labels=(Named("team", "web"),), url="https://prometheus/g", runbook="https://r"), 2000
    )
    assert [type(one) for one in opened] == [ReportChanged, AlertChanged, IncidentChanged, Command]
    incident = watch.incidents["@am/a"]
    assert (incident.title, incident.service, incident.severity) == ("a is slow", "shop", Severity.MAJOR)
    assert (incident.started_ms, incident.opened_ms, incident.rule_id) == (1000, 2000, "@am/HighLatency")
    [draft] = drafts(opened)
    for text in ("a is slow: p99 is 3 s", "team=web", "https://prometheus/g", "https://r", "alertmanager"):
        assert text in draft.description, draft.description
    resolved = watch.report(over(), 10_000)
    assert happenings(resolved) == [("resolved", 1)]
    assert [one.kind for one in resolved if isinstance(one, Command)] == [CommandKind.RESOLVE]
    assert watch.incidents == {}


def test_the_same_report_again_is_no_news() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(), 2000)
    assert watch.report(firing(), 3000) == []
    watch.report(over(), 10_000)
    assert watch.report(over(), 11_000) == []
    assert watch.report(firing(), 12_000) == []


def test_an_end_of_what_does_not_fire_is_no_news_and_what_it_ended_stays_over() -> None:
    watch = watch_of(plan_of())
    assert watch.report(over(), 10_000) == []
    assert watch.report(firing(at_ms=1000), 10_001) == []
    assert happenings(watch.report(firing(at_ms=9001), 10_002)) == [("opened", 1)]


def test_what_fires_on_long_after_its_end_fires() -> None:
    """Alertmanager merges alerts that overlap: the one of another replica bears the time when the first began."""
    watch = watch_of(plan_of())
    watch.report(firing(), 2000)
    watch.report(over(), 10_000)
    assert watch.report(firing(), 10_000 + LATE_MS - 1) == []
    assert happenings(watch.report(firing(), 10_000 + LATE_MS)) == [("opened", 2)]


def test_what_is_not_repeated_is_over_when_it_expires() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(expires_ms=62_000), 2000)
    watch.report(firing(expires_ms=92_000), 32_000)
    assert watch.advance(91_999) == []
    effects = watch.advance(92_000)
    assert happenings(effects) == [("resolved", 1)]
    assert any(isinstance(one, ReportGone) for one in effects)
    assert [one.reason for one in effects if isinstance(one, AlertChanged)] == ["nothing has been heard of it for 1m"]
    assert happenings(watch.report(firing(), 93_000)) == [("opened", 2)]


def test_time_in_which_nothing_could_be_heard_does_not_count() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(expires_ms=62_000), 2000)
    watch.stood_still(3_600_000)
    assert watch.advance(3_661_999) == []
    assert happenings(watch.advance(3_662_000)) == [("resolved", 1)]


def test_another_severity_makes_the_incident_worse_and_not_another_one() -> None:
    watch = watch_of(plan_of())
    warning = firing(rule="HTTP/warning", severity=Severity.MINOR)
    critical = firing(at_ms=2000, rule="HTTP/critical", severity=Severity.CRITICAL)
    watch.report(warning, 1000)
    assert happenings(watch.report(critical, 2000)) == [("joined", 1), ("escalated", 1), ("left", 1)]
    assert watch.incidents["@am/a"].severity is Severity.CRITICAL
    assert watch.report(warning, 2500) == []
    assert happenings(watch.report(replace(warning, at_ms=3000), 3000)) == [("joined", 1), ("left", 1)]
    assert watch.incidents["@am/a"].severity is Severity.CRITICAL
    assert happenings(watch.report(over(), 9000)) == [("resolved", 1)]


def test_alerts_that_have_in_common_what_the_source_groups_by_are_one_incident() -> None:
    watch = watch_of(plan_of(replace(AM, group_by=("cluster", "service"))))
    east, west = (Named("cluster", "east"),), (Named("cluster", "west"),)
    watch.report(firing("a", labels=east), 2000)
    watch.report(firing("b", labels=east, service="shop"), 2000)
    watch.report(firing("c", labels=west), 2000)
    watch.report(firing("d", labels=east, service="bank"), 2000)
    assert [*watch.incidents] == [
        "@am/cluster=east/service=shop",
        "@am/cluster=west/service=shop",
        "@am/cluster=east/service=bank",
    ]


def test_an_alert_of_an_unknown_service_counts_for_that_of_the_source() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(service="nowhere"), 2000)
    assert watch.incidents["@am/a"].service == "shop"


def test_a_report_of_a_source_that_there_is_not_is_passed_over() -> None:
    assert watch_of(plan_of(None)).report(firing(), 2000) == []


def test_what_is_upstream_explains_what_is_reported() -> None:
    base = plan(probe("gateway", "net"), rule(), Service("net", "Net"), Service("bank", "Bank", depends_on=("net",)))
    watch = watch_of(plan_of(base=base))
    watch.observe(sample(1000, Status.DOWN, "gateway"))
    assert happenings(watch.report(firing(service="bank"), 2000)) == []
    assert [*watch.incidents] == ["down/probe=gateway"]


def test_a_silence_holds_back_what_is_reported_and_its_end_lets_it_open() -> None:
    watch = watch_of(plan_of())
    selection = Selection(matchers=(Matcher("team", Operator.IS, "web"),))
    watch.expect([Window(Because.SILENCE, "SIL-1", "quiet", 0, 50_000, selection)], 0)
    assert happenings(watch.report(firing(labels=(Named("team", "web"),)), 2000)) == []
    assert happenings(watch.report(firing("b"), 2000)) == [("opened", 1)]
    assert happenings(watch.advance(50_000)) == [("opened", 2)]


def test_what_is_held_back_opens_after_a_restart_with_its_own_words() -> None:
    waiting = plan_of(group_wait_ms=30_000)
    watch = watch_of(waiting)
    effects = watch.report(firing(expires_ms=62_000), 2000)
    assert watch.incidents == {}

    again, told = restarted(waiting, effects, 10_000)
    assert happenings(told) == []
    opened = again.advance(40_000)
    assert happenings(opened) == [("opened", 1)]
    [draft] = drafts(opened)
    assert "a is slow: p99 is 3 s" in draft.description
    assert again.report(firing(expires_ms=100_000), 40_000) == []
    assert happenings(again.advance(100_000)) == [("resolved", 1)]


def test_what_expires_has_all_of_its_time_after_a_restart() -> None:
    watch = watch_of(plan_of())
    effects = watch.report(firing(expires_ms=62_000), 2000)
    again, _ = restarted(plan_of(), effects, 500_000)
    assert again.advance(559_999) == []
    assert happenings(again.advance(560_000)) == [("resolved", 1)]


def test_an_end_is_remembered_after_a_restart() -> None:
    watch = watch_of(plan_of())
    effects = watch.report(firing(), 2000) + watch.report(over(), 10_000)
    again, _ = restarted(plan_of(), effects, 20_000)
    assert again.report(firing(), 21_000) == []


def test_an_end_is_forgotten_when_nothing_can_be_under_way_any_more() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(), 2000)
    watch.report(over(), 10_000)
    assert watch.advance(10_000 + LATE_MS) == [ReportGone("am", "a", 10_000 + LATE_MS)]
    assert watch.next_deadline() is None


@pytest.mark.parametrize("restart", [False, True])
def test_a_source_that_is_taken_out_of_the_configuration_ends_its_alerts(restart: bool) -> None:
    watch = watch_of(plan_of())
    effects = watch.report(firing(), 2000)
    told = restarted(plan_of(None), effects, 5000)[1] if restart else watch.revise(plan_of(None), 5000)
    assert happenings(told) == [("resolved", 1)]
    assert ReportGone("am", "a", 5000) in told
    assert [one.reason for one in told if isinstance(one, AlertChanged)] == ["source removed"]


def test_a_reload_lets_what_is_reported_stand() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(expires_ms=62_000), 2000)
    assert watch.revise(plan_of(replace(AM, service="bank")), 5000) == []
    assert happenings(watch.advance(62_000)) == [("resolved", 1)]


def test_a_source_has_only_so_many_alerts() -> None:
    watch = watch_of(plan_of(group_wait_ms=60_000))
    for number in range(MOST_FIRING):
        watch.report(firing(f"a{number}"), 2000)
    with pytest.raises(TooManyAlerts, match="10000 alerts of am fire already"):
        watch.report(firing("one more"), 2000)
    assert watch.report(firing("a1"), 2000) == []
    watch.report(over("a1"), 9000)
    assert watch.report(firing("one more"), 9001) != []
    assert watch.foreign.counts() == {"am": MOST_FIRING}


def test_of_what_is_over_only_so_much_is_remembered() -> None:
    watch = watch_of(plan_of())
    watch.report(firing(), 2000)
    watch.report(over(), 9000)
    told = [effect for number in range(MOST_OVER) for effect in watch.report(over(f"b{number}"), 9000)]
    assert told == [ReportGone("am", "a", 9000)]


class Spell(NamedTuple):
    """An alert fires from one time until another; `None`: still."""

    from_ms: int
    to_ms: int | None


def spells(lengths: Sequence[int], *, still: bool) -> list[Spell]:
    """One after the other, with the lengths of firing and quiet in turn."""
    at, found = 1000, []
    for begin, (fires, quiet) in enumerate(zip(lengths[::2], lengths[1::2], strict=False)):
        last = begin == len(lengths) // 2 - 1
        found.append(Spell(at, None if last and still else at + fires))
        at += fires + quiet
    return found


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=8),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_in_whatever_order_and_however_often_reports_come_the_latest_counts(
    lengths: list[int],
    still: bool,
    random: object,
    times: int,
) -> None:
    said = spells(lengths, still=still)
    reports = [firing(at_ms=one.from_ms) for one in said]
    reports += [over(at_ms=one.to_ms) for one in said if one.to_ms is not None]
    reports *= times
    random.shuffle(reports)  # type: ignore[attr-defined]  # hypothesis's own
    watch = watch_of(plan_of())
    seen: list[Effect] = []
    for number, report in enumerate(reports):
        seen += watch.report(report, 50_000 + number)
    fires = said[-1].to_ms is None
    assert (len(watch.incidents) == 1) == fires
    opened = [one for one in seen if isinstance(one, Command) and one.kind is CommandKind.CREATE]
    resolved = [one for one in seen if isinstance(one, Command) and one.kind is CommandKind.RESOLVE]
    assert len(opened) - len(resolved) == int(fires)
    assert len(opened) <= len(said)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=20), st.data())
def test_a_restart_at_any_point_changes_nothing(said: list[tuple[str, int, bool]], data: st.DataObject) -> None:
    reports = [firing(key, at_ms=1000 + at) if is_firing else over(key, 1000 + at) for key, at, is_firing in said]
    cut = data.draw(st.integers(0, len(reports)))
    straight = watch_of(plan_of())
    broken = watch_of(plan_of())
    effects: list[Effect] = []
    for number, report in enumerate(reports):
        if number == cut:
            # What is over and never fired here is not stored: the test has it told again, as senders do.
            broken, told = restarted(plan_of(), effects, 50_000 + number)
            assert happenings(told) == []
            for earlier in reports[:cut]:
                broken.report(earlier, 50_000 + number)
        straight.report(report, 50_000 + number)
        effects += broken.report(report, 50_000 + number)
    assert broken.incidents.keys() == straight.incidents.keys()


def restarted(one: Plan, effects: Iterable[Effect], now_ms: int) -> tuple[Watch, list[Effect]]:
    """A watch that remembers what was stored, and what follows at its start."""
    alerts: dict[AlertRef, Alert] = {}
    reports: dict[tuple[str, str], ReportChanged] = {}
    incidents = {}
    for effect in effects:
        if isinstance(effect, AlertChanged):
            alerts[effect.after.ref] = effect.after
        elif isinstance(effect, ReportChanged):
            reports[effect.report.source, effect.report.key] = effect
        elif isinstance(effect, ReportGone):
            reports.pop((effect.source, effect.key), None)
        elif isinstance(effect, IncidentChanged):
            incidents[effect.incident.id] = effect.incident
    watch = Watch(
        one,
        open_alerts=[alert for alert in alerts.values() if alert.state is not AlertState.INACTIVE],
        open_incidents=[one for one in incidents.values() if one.state is IncidentState.OPEN],
        next_incident_id=len(incidents) + 1,
        reports=reports.values(),
    )
    return watch, watch.revise(one, now_ms)
