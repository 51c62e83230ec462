"""What tickets and timelines are told while an incident lasts."""

from collections.abc import Iterator
from dataclasses import replace

from tests.domain.made import plan, probe, rule, sample
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Escalation, Hold, IncidentPolicy, Severity, Thresholds
from watchkeeper.domain.ticket import Command, Language, TicketChange, TicketPolicy, TicketSeen, TicketState
from watchkeeper.domain.watch import Plan, Watch

MINUTE = 60_000
UP, DOWN = Status.UP, Status.DOWN


def a_plan(language: Language, hold: Hold) -> Plan:
    steps = IncidentPolicy(group_by=("service",), escalation=(Escalation(5 * MINUTE, Severity.CRITICAL),))
    one = plan(probe("a"), probe("b"), replace(rule(hold=hold), incident=steps))
    return replace(one, policies={"desk": TicketPolicy(language=language)})


def story(language: Language) -> Iterator[Effect]:
    """Two probes in one incident, with everything that happens to incidents."""
    one = a_plan(language, Hold(keep_firing_for_ms=MINUTE))
    watch = Watch(one)
    watch.revise(one, 0)
    yield from watch.observe(sample(0, DOWN, "a", "refused"))
    yield from watch.observe(sample(MINUTE, DOWN, "b", "timeout"))
    yield from watch.ticket_seen(TicketSeen(1, "T-1", TicketState.IN_PROGRESS, "alice", 2 * MINUTE))
    yield from watch.observe(sample(2 * MINUTE, UP, "a", "200 OK"))
    yield from watch.observe(sample(2 * MINUTE + 9, DOWN, "a", "refused"))
    yield from watch.observe(sample(3 * MINUTE, UP, "b", "200 OK"))
    yield from watch.ticket_seen(TicketSeen(1, "T-1", TicketState.RESOLVED, "alice", 4 * MINUTE))
    for n in range(5, 16):
        yield from watch.observe(sample(n * MINUTE, DOWN, "a", "refused"))
    yield from watch.ticket_seen(TicketSeen(1, "T-1", TicketState.CLOSED, "", 16 * MINUTE, is_gone=True))
    yield from watch.observe(sample(17 * MINUTE, UP, "a", "200 OK"))
    yield from watch.advance(18 * MINUTE)


def flapping_story(language: Language) -> Iterator[Effect]:
    one = a_plan(language, Hold(keep_firing_for_ms=30_000, flapping=Thresholds()))
    watch = Watch(one)
    watch.revise(one, 0)
    for n in range(1, 70):
        yield from watch.observe(sample(n * 1000, DOWN if n % 2 and n < 40 else UP, "a", "refused"))


def notes(effects: Iterator[Effect]) -> list[str]:
    payloads = [effect.payload for effect in effects if isinstance(effect, Command)]
    return [payload.note for payload in payloads if isinstance(payload, TicketChange)]


def timeline(effects: Iterator[Effect]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, IncidentChanged)]


def test_notes_say_which_probe_what_and_since_when() -> None:
    assert notes(story(Language.ENGLISH)) == [
        "b joined, in trouble since 1970-01-01 00:01:00Z: timeout",
        "b is no longer part of it since 1970-01-01 00:04:00Z: 200 OK",
        "Raised from major to critical, priority 1: it has been open for 5m, since 1970-01-01 00:00:00Z",
        "The trouble goes on, 10m after the ticket was resolved",
        "Over since 1970-01-01 00:18:00Z, after 18m, in which trouble came back once: 200 OK\nAffected: a, b",
    ]


def test_notes_are_in_the_language_of_the_backend() -> None:
    assert notes(story(Language.CHINESE)) == [
        "b 加入本事件，异常始于 1970-01-01 00:01:00Z：timeout",
        "b 自 1970-01-01 00:04:00Z 起不再属于本事件：200 OK",
        "级别由“重要”升为“紧急”，优先级 1：本事件自 1970-01-01 00:00:00Z 起已打开 5 分钟",
        "工单解决 10 分钟后，故障仍在持续",
        "已于 1970-01-01 00:18:00Z 恢复，历时 18 分钟，期间故障复发 1 次：200 OK\n受影响的探针：a、b",
    ]


def test_a_timeline_tells_what_people_did_too_and_the_first_line_of_each_note() -> None:
    assert timeline(story(Language.CHINESE)) == [
        "refused",
        "b 加入本事件，异常始于 1970-01-01 00:01:00Z：timeout",
        "T-1 已由 alice 受理",
        "a 于 1970-01-01 00:02:00Z 再次异常：refused",
        "T-1 的状态变为“已解决”",
        "b 自 1970-01-01 00:04:00Z 起不再属于本事件：200 OK",
        "级别由“重要”升为“紧急”，优先级 1：本事件自 1970-01-01 00:00:00Z 起已打开 5 分钟",
        "工单解决 10 分钟后，故障仍在持续",
        "T-1 已被删除",
        "已于 1970-01-01 00:18:00Z 恢复，历时 18 分钟，期间故障复发 1 次：200 OK",
    ]


def test_what_comes_and_goes_is_told_once_and_when_it_has_calmed_down() -> None:
    first, last = notes(flapping_story(Language.ENGLISH))
    assert first == "a comes and goes (noted 1970-01-01 00:00:06Z): this stays open until it has calmed down"
    assert last == "a calmed down at 1970-01-01 00:00:55Z; trouble came back 19 times"
    first, last = notes(flapping_story(Language.CHINESE))
    assert first.startswith("a 于 1970-01-01 00:00:06Z 被判定为频繁抖动")
    assert last == "a 已于 1970-01-01 00:00:55Z 恢复稳定；期间故障复发 19 次"


def test_an_incident_that_many_probes_joined_names_some_of_them() -> None:
    probes = [probe(f"p{n:02}") for n in range(14)]
    one = plan(*probes, rule(group_by=("service",)))
    watch = Watch(one)
    watch.revise(one, 0)
    for each in probes:
        watch.observe(sample(0, DOWN, each.id))
    last = [effect for each in probes for effect in watch.observe(sample(MINUTE, UP, each.id))]
    assert notes(iter(last))[-1].endswith("p08, p09 and 4 more")


def test_a_rule_that_is_removed_is_told_in_the_language_of_the_ticket() -> None:
    one = a_plan(Language.CHINESE, Hold())
    watch = Watch(one)
    watch.revise(one, 0)
    watch.observe(sample(0, DOWN, "a"))
    effects = watch.revise(replace(one, rules={}), MINUTE)
    assert notes(iter(effects)) == ["已于 1970-01-01 00:01:00Z 恢复，历时 1 分钟：规则已删除\n受影响的探针：a"]
    assert [one.happening for one in effects if isinstance(one, IncidentChanged)] == [Happening.RESOLVED]
