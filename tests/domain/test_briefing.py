"""What a first responder reads in a new ticket."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.made import When, plan, probe, rule, sample
from watchkeeper.domain.briefing import MOST_TEXT
from watchkeeper.domain.columns import columns
from watchkeeper.domain.earlier import Earlier
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Hold, IncidentPolicy, Rule, Severity
from watchkeeper.domain.service import Criticality, Service
from watchkeeper.domain.ticket import Command, Language, TicketDraft, TicketPolicy, TicketSeen, TicketState
from watchkeeper.domain.watch import Plan, Watch

BEGAN = 1_700_000_000_000
MINUTE = 60_000
DB = Service("db", "Database", owner="team-db", criticality=Criticality.HIGH, ci="CI0042")
USERS = (Service("shop", "Web shop", depends_on=("db",)), Service("billing", "Billing", depends_on=("shop",)))
EARLIER = {
    "full/probe=root": (
        Earlier(3, BEGAN - 86_400_000, BEGAN - 78_900_000, "T-9"),
        Earlier(1, BEGAN - 900_000_000, BEGAN - 899_939_000),
    )
}


TWO_MINUTES = Hold(for_ms=2 * MINUTE)


def full(hold: Hold = TWO_MINUTES) -> Rule:
    one = rule("full", When(lambda scope: scope.sample.values["used"] > 90), hold)
    return replace(one, when="values.used > 90", incident=IncidentPolicy())


def the_plan(language: Language = Language.ENGLISH, one: Rule | None = None) -> Plan:
    disk = replace(probe("root", "db"), host="db1.example")
    made = plan(disk, one or full(), DB, *USERS)
    return replace(made, policies={"desk": TicketPolicy(language=language)}, url="https://watch.example")


def drafts(effects: Sequence[Effect]) -> list[TicketDraft]:
    payloads = [effect.payload for effect in effects if isinstance(effect, Command)]
    return [payload for payload in payloads if isinstance(payload, TicketDraft)]


def opened(
    one: Plan, samples: Sequence[Sample], earlier: Mapping[str, Sequence[Earlier]] | None = None
) -> TicketDraft:
    watch = Watch(one, next_incident_id=7, earlier_incidents=earlier or {})
    watch.revise(one, BEGAN)
    [draft] = drafts([effect for each in samples for effect in watch.observe(each)])
    return draft


def filling() -> list[Sample]:
    numbers = enumerate((80.0, 95.0, 96.5, 97.25))
    return [
        sample(BEGAN + n * MINUTE, name="root", message=f"{used:g}% full", used=used, free=2.5e9)
        for n, used in numbers
    ]


def test_a_ticket_tells_what_a_first_responder_needs() -> None:
    draft = opened(the_plan(), filling(), EARLIER)
    assert (draft.title, draft.ci, draft.service, draft.rule) == ("root is up", "CI0042", "db", "full")
    assert draft.description.splitlines() == [
        "root is up: 97.25% full",
        "",
        "Since:     2023-11-14 22:14:20Z (2m before this was opened)",
        "Service:   Database (db), owner team-db, criticality high",
        "CI:        CI0042",
        "Needed by: Web shop, Billing",
        "Probe:     root at db1.example (http, health)",
        "Priority:  1 (critical): impact high, urgency high, by severity major and criticality high",
        "Runbook:   https://wiki/run",
        "Incident:  INC-7 https://watch.example/incidents/INC-7",
        "",
        "Why the rule full fired:",
        "  Its condition: values.used > 90",
        "  values.used = 97.25",
        "  values.free = 2.5e+09",
        "  It held for 2m.",
        "",
        "Last samples (times in UTC):",
        "  time                 status  duration  used   free",
        "  2023-11-14 22:13:20  up      0.250 s   80     2500000000",
        "  2023-11-14 22:14:20  up      0.250 s   95     2500000000",
        "  2023-11-14 22:15:20  up      0.250 s   96.5   2500000000",
        "  2023-11-14 22:16:20  up      0.250 s   97.25  2500000000",
        "",
        "Earlier incidents with this key:",
        "  INC-3: 2023-11-13 22:13:20Z, lasted 2h5m, ticket T-9",
        "  INC-1: 2023-11-04 12:13:20Z, lasted 1m1s",
        "",
        "Opened by watchkeeper as INC-7 (full/probe=root). Times are UTC.",
    ]


def test_a_ticket_is_written_in_the_language_of_its_backend() -> None:
    assert opened(the_plan(Language.CHINESE), filling(), EARLIER).description.splitlines() == [
        "root is up：97.25% full",
        "",
        "开始时间：    2023-11-14 22:14:20Z（至开单已持续 2 分钟）",
        "服务：        Database（db），负责团队：team-db，重要性高",
        "配置项：      CI0042",
        "依赖它的服务：Web shop、Billing",
        "探针：        root，目标 db1.example（http，健康）",
        "优先级：      1（严重）：影响度高，紧急度高，依据告警级别“重要”和服务重要性“高”",
        "处置手册：    https://wiki/run",
        "事件编号：    INC-7 https://watch.example/incidents/INC-7",
        "",
        "规则 full 的触发原因：",
        "  触发条件：values.used > 90",
        "  values.used = 97.25",
        "  values.free = 2.5e+09",
        "  条件已持续满足 2 分钟。",
        "",
        "最近的检测结果（时间为 UTC）：",
        "  时间                 状态  耗时      used   free",
        "  2023-11-14 22:13:20  正常  0.250 秒  80     2500000000",
        "  2023-11-14 22:14:20  正常  0.250 秒  95     2500000000",
        "  2023-11-14 22:15:20  正常  0.250 秒  96.5   2500000000",
        "  2023-11-14 22:16:20  正常  0.250 秒  97.25  2500000000",
        "",
        "此前的同类事件：",
        "  INC-3：2023-11-13 22:13:20Z，持续 2 小时 5 分，工单 T-9",
        "  INC-1：2023-11-04 12:13:20Z，持续 1 分 1 秒",
        "",
        "由 watchkeeper 自动创建，事件编号 INC-7（full/probe=root）。时间均为 UTC。",
    ]


def test_what_is_not_known_is_left_out() -> None:
    bare = plan(probe(), rule(), Service("shop", "shop"))
    assert opened(bare, [sample(BEGAN, Status.DOWN)]).description.splitlines()[:9] == [
        "home is down: it is down",
        "",
        "Since:    2023-11-14 22:13:20Z",
        "Service:  shop, criticality medium",
        "Probe:    home (http, health)",
        "Priority: 2 (high): impact medium, urgency high, as the rule says, severity major",
        "Runbook:  https://wiki/run",
        "Incident: INC-7",
        "",
    ]


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        (Hold(for_ms=2 * MINUTE), "  It held for 2m."),
        (Hold(failures=3, of=3), "  It held 3 times in a row."),
        (Hold(failures=2, of=4), "  It held 2 of 4 times."),
    ],
)
def test_it_is_said_for_how_long_the_condition_held(hold: Hold, said: str) -> None:
    assert said in opened(the_plan(one=full(hold)), filling()).description.splitlines()


def test_a_silence_says_so_and_shows_what_was_known_last() -> None:
    one = the_plan(Language.CHINESE, full(Hold(no_data_ms=10 * MINUTE)))
    watch = Watch(one)
    watch.revise(one, BEGAN)
    watch.observe(filling()[0])
    [draft] = drafts(watch.advance(BEGAN + 20 * MINUTE))
    assert "已有 10 分钟没有获得任何结果" in draft.description.splitlines()[0]
    assert "2023-11-14 22:13:20  正常" in draft.description
    assert "values.used =" not in draft.description


def test_many_dependants_are_named_up_to_a_bound() -> None:
    users = [Service(f"s{n}", f"Service {n}", depends_on=("db", "s1")) for n in range(200)]
    one = plan(probe("root", "db"), rule(), DB, *users)
    [line] = [
        line
        for line in opened(one, [sample(BEGAN, Status.DOWN, "root")]).description.splitlines()
        if "Needed" in line
    ]
    assert line.endswith("Service 8, Service 9 and more")


def test_services_that_need_each_other_are_named_once() -> None:
    ring = (
        Service("a", "A", depends_on=("b",)),
        Service("b", "B", depends_on=("c",)),
        Service("c", "C", depends_on=("a",)),
    )
    draft = opened(plan(probe("root", "c"), rule(), *ring), [sample(BEGAN, Status.DOWN, "root")])
    assert "Needed by: B, A\n" in draft.description


def test_a_successor_tells_as_much_and_what_it_follows() -> None:
    one = the_plan()
    watch = Watch(one, earlier_incidents=EARLIER)
    watch.revise(one, BEGAN)
    for each in filling():
        watch.observe(each)
    watch.ticket_seen(TicketSeen(1, "T-1", TicketState.CLOSED, "", BEGAN + 4 * MINUTE))
    [draft] = drafts(watch.advance(BEGAN + 20 * MINUTE))
    text = draft.description
    assert text.startswith("root is up: 97.25% full\nThe trouble goes on, 10m after T-1 was ended\n")
    assert "\nFollows:   INC-1, ticket T-1\n" in text
    assert "values.used = 97.25" in text
    assert draft.ci == "CI0042"
    assert "INC-3" in text


def test_a_successor_after_a_restart_tells_what_is_known() -> None:
    one = the_plan()
    first = Watch(one)
    first.revise(one, BEGAN)
    for each in filling():
        first.observe(each)
    alerts = [binding.alert for subject in first.subjects.values() for binding in subject.bindings]
    again = Watch(one, open_alerts=alerts, open_incidents=first.incidents.values(), next_incident_id=2)
    again.revise(one, BEGAN + 5 * MINUTE)
    [draft] = drafts(again.reopening_refused(1, "it is archived", BEGAN + 6 * MINUTE))
    assert "can not be opened again (it is archived)" in draft.description
    assert "\nProbes:    root\n" in draft.description
    assert "\nRule:      full\n" in draft.description


def test_the_next_incident_of_a_key_tells_of_the_one_before() -> None:
    one = plan(probe(), rule())
    watch = Watch(one)
    watch.revise(one, BEGAN)
    said = []
    for n in range(5):
        said += drafts(watch.observe(sample(BEGAN + 2 * n * MINUTE, Status.DOWN)))
        watch.observe(sample(BEGAN + (2 * n + 1) * MINUTE))
    assert "Earlier" not in said[0].description
    numbers = [line.split(":")[0].strip() for line in said[4].description.splitlines() if ", lasted 1m" in line]
    assert numbers == ["INC-4", "INC-3", "INC-2"]


@given(
    st.text(max_size=6000), st.text(max_size=6000), st.dictionaries(st.text(max_size=300), st.floats(), max_size=9)
)
def test_whatever_servers_say_the_text_is_bounded_and_begins_with_the_symptom(
    message: str, owner: str, values: dict[str, float]
) -> None:
    one = plan(probe(), rule(), Service("shop", message, owner=owner))
    found = replace(sample(BEGAN, Status.DOWN), message=message, values=values)
    draft = opened(one, [found])
    assert len(draft.description) <= MOST_TEXT + 2
    assert draft.description.startswith("home is down")


@pytest.mark.parametrize("language", list(Language))
def test_a_pattern_in_what_servers_say_is_not_filled_in(language: Language) -> None:
    found = replace(sample(BEGAN, Status.DOWN), message="{title} {0} %s")
    one = replace(plan(probe(), rule()), policies={"desk": TicketPolicy(language=language)})
    assert "{title} {0} %s" in opened(one, [found]).description


def test_severity_minor_has_its_words() -> None:
    one = replace(full(), severity=Severity.MINOR)
    text = opened(the_plan(Language.CHINESE, one), filling()).description
    assert "3（中）：影响度高，紧急度低，依据告警级别“次要”" in text


def test_columns_stand_under_each_other_though_chinese_is_wider() -> None:
    assert columns([("状态", "x"), ("up", "y"), ("", "z")]) == ["状态  x", "up    y", "      z"]
