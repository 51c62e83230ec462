"""What others send: Alertmanager's notifications, passive results, events; and what is said of what is wrong."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.intakes import NOW_MS, source
from watchkeeper.domain.report import Measured, Report, ReportState
from watchkeeper.domain.rule import Named, Severity
from watchkeeper.web import alertmanager, events, passive
from watchkeeper.web.payload import Payload, Unreadable

HOUR_MS = 3_600_000
EIGHT = NOW_MS - HOUR_MS
READERS = {"alertmanager": alertmanager.read, "passive": passive.read, "events": events.read}


def read(kind: str, body: object, content_type: str = "application/json", **keys: Any) -> Payload:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return READERS[kind](source(kind, "s", **keys), sent, content_type, NOW_MS)


def one(kind: str, body: object, content_type: str = "application/json", **keys: Any) -> Report:
    [report] = read(kind, body, content_type, **keys).reports
    return report


def mistake(kind: str, body: object, content_type: str = "application/json") -> str:
    with pytest.raises(Unreadable) as error:
        read(kind, body, content_type)
    return str(error.value)


def notification(*alerts: Mapping[str, object], **more: object) -> dict[str, object]:
    """As Alertmanager 0.25 sends it."""
    return {
        "receiver": "watchkeeper",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {"alertname": "ShopBroken"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://am:9093",
        "version": "4",
        "groupKey": '{}:{alertname="ShopBroken"}',
        "truncatedAlerts": 0,
        **more,
    }


def alert(**more: object) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {"alertname": "ShopBroken", "instance": "web1:9100", "severity": "page", "service": "shop"},
        "annotations": {"summary": "The shop is broken", "description": "Nobody\ncan buy", "dashboard": "https://d"},
        "startsAt": "2026-11-25T08:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "26918e5de482d3c2",
        **more,
    }


def test_an_alert_of_alertmanager_says_everything_that_a_ticket_needs() -> None:
    assert one("alertmanager", notification(alert())) == Report(
        source="s",
        key="web1:9100#26918e5de482d3c2",
        state=ReportState.FIRING,
        at_ms=EIGHT + 123,
        rule="ShopBroken",
        title="The shop is broken",
        severity=Severity.CRITICAL,
        service="shop",
        began_ms=EIGHT + 123,
        labels=(
            Named("alertname", "ShopBroken"),
            Named("instance", "web1:9100"),
            Named("service", "shop"),
            Named("severity", "page"),
        ),
        annotations=(Named("dashboard", "https://d"),),
        message="Nobody can buy",
        url="http://prometheus:9090/graph",
        condition='ShopBroken{instance="web1:9100", service="shop", severity="page"}',
        expires_ms=NOW_MS + 25 * HOUR_MS,
    )


def test_an_alert_that_is_resolved_is_over_when_it_ended() -> None:
    report = one("alertmanager", notification(alert(status="resolved", endsAt="2026-11-25T09:30:00+01:00")))
    assert (report.state, report.at_ms) == (ReportState.OVER, EIGHT + HOUR_MS // 2)


def test_an_end_comes_after_the_beginning_whatever_the_clock_says() -> None:
    report = one("alertmanager", notification(alert(status="resolved", endsAt="2026-11-25T07:00:00Z")))
    assert report.at_ms == EIGHT + 124


def test_an_end_that_lies_ahead_says_until_when_an_alert_is_true() -> None:
    report = one("alertmanager", notification(alert(endsAt="2026-11-25T09:05:00Z")))
    assert report.expires_ms == NOW_MS + 300_000


def test_alerts_without_a_fingerprint_are_told_apart_by_their_labels() -> None:
    first, same, other = read(
        "alertmanager",
        notification(
            alert(fingerprint="", labels={"alertname": "A", "x": "1"}),
            alert(fingerprint="", labels={"x": "1", "alertname": "A"}),
            alert(fingerprint="", labels={"alertname": "A", "x": "2"}),
        ),
    ).reports
    assert first.key == same.key != other.key


def test_the_group_of_alertmanager_is_handed_on_where_the_source_groups_by_it() -> None:
    assert one("alertmanager", notification(alert())).group == ""
    assert one("alertmanager", notification(alert()), group_by=["groupKey"]).group == '{}:{alertname="ShopBroken"}'


def test_what_alertmanager_left_out_is_told() -> None:
    assert read("alertmanager", notification(alert(), truncatedAlerts=40)).left_out == 40


def test_labels_and_severities_are_those_that_the_source_names() -> None:
    labels = {"alertname": "A", "team": "shop", "level": "P1", "n": "1"}
    keys: dict[str, Any] = {
        "service_label": "team",
        "severity_label": "level",
        "severities": {"P1": "critical"},
        "severity": "minor",
    }
    report = one("alertmanager", notification(alert(labels=labels)), **keys)
    assert (report.service, report.severity) == ("shop", Severity.CRITICAL)
    report = one("alertmanager", notification(alert(labels={"alertname": "A", "level": "P9"})), **keys)
    assert (report.service, report.severity) == ("", Severity.MINOR)


@pytest.mark.parametrize(
    ("version", "found"), [("3", "'3' is not known"), ("5", "'5' is not known"), ("", "none is not known")]
)
def test_another_version_of_notifications_is_refused(version: str, found: str) -> None:
    text = mistake("alertmanager", notification(alert(), version=version))
    assert text == f"version: {found}: accepted is '4', what Alertmanager 0.8 and later send"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"labels": {"alertname": 3}}, "alerts[1].labels.alertname: input should be a valid string"),
        ({"status": "suppressed"}, "alerts[1].status: input should be 'firing' or 'resolved'"),
        ({"startsAt": "yesterday"}, "alerts[1].startsAt: 'yesterday' is not a time such as 2026-11-25T08:30:00Z"),
        ({"startsAt": "2026-11-25T08:00:00"}, "alerts[1].startsAt: '2026-11-25T08:00:00' has no time zone"),
        ({"fingerprint": "../x"}, "alerts[1].fingerprint: string should match pattern '^[0-9A-Za-z]{0,64}$'"),
    ],
)
def test_what_is_wrong_with_an_alert_is_said_with_its_place(wrong: dict[str, object], text: str) -> None:
    assert mistake("alertmanager", notification(alert(), alert(**wrong))) == text


def test_long_and_odd_texts_are_cut_and_cleaned() -> None:
    labels = {"alertname": "A\0" + "x" * 1000, **{f"l{n:03}": "v" * 9000 for n in range(100)}}
    report = one("alertmanager", notification(alert(labels=labels, annotations={"summary": "a\u2028b"})))
    assert (len(report.rule), len(report.labels), report.title) == (200, 50, "a b")
    assert max(len(text) for _, text in report.labels) == 500
    json.dumps([report.rule, *report.labels], ensure_ascii=False).encode()


def test_an_event_is_taken_as_it_is_documented() -> None:
    report = one(
        "events",
        {
            "key": "backup/db1",
            "title": "No backup of db1",
            "severity": "high",
            "service": "shop",
            "rule": "backup-missing",
            "message": "the last one is 30 h old",
            "labels": {"host": "db1"},
            "annotations": {"advice": "start it by hand"},
            "url": "https://backup/db1",
            "runbook": "https://wiki/backup",
            "at": "2026-11-25T08:30:00Z",
            "began": "2026-11-25T08:00:00Z",
            "expires_in": "2h",
        },
    )
    assert (report.key, report.rule, report.severity) == ("backup%2Fdb1", "backup-missing/major", Severity.MAJOR)
    assert (report.at_ms, report.began_ms) == (EIGHT + HOUR_MS // 2, EIGHT)
    assert (report.expires_ms, report.message) == (NOW_MS + 2 * HOUR_MS, "the last one is 30 h old")


def test_an_event_needs_no_more_than_a_key_and_a_title() -> None:
    report = one("events", {"key": "k", "title": "t"})
    assert (report.state, report.at_ms, report.expires_ms) == (ReportState.FIRING, NOW_MS, None)
    assert one("events", {"key": "k", "state": "over"}).state is ReportState.OVER


def test_an_event_of_the_future_is_of_now() -> None:
    report = one("events", {"key": "k", "title": "t", "at": "2027-01-01T00:00:00Z", "began": "2028-01-01T00:00:00Z"})
    assert (report.at_ms, report.began_ms) == (NOW_MS, NOW_MS)


def test_keys_that_differ_stay_different_however_long_they_are() -> None:
    keys = ["x" * 500, "x" * 499 + "y", "a/b", "a%2Fb"]
    reports = read("events", [{"key": key, "title": "t"} for key in keys]).reports
    assert len({report.key for report in reports}) == 4
    assert max(len(report.key) for report in reports) <= 200


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ([{"key": "k", "title": "t"}, {"key": "k", "titel": "t"}], "[1].titel: there is no such field"),
        ({"title": "t"}, "key: field required"),
        ({"key": "k"}, "title is required of what fires"),
        ({"key": "k", "title": "t", "labels": {"a": None}}, "labels.a: input should be a valid string"),
        ({"key": "k", "title": "t", "expires_in": 5}, "expires_in: must be a text: accepted is"),
        ({"key": "k", "title": "t", "at": "2026-11-25T08:30:00"}, "at: '2026-11-25T08:30:00' has no"),
        (b"{", "this is not JSON: EOF while parsing"),
        (b"[" * 100_000, "this is not JSON: recursion limit exceeded"),
        (b"\xff", "this is not JSON: expected value at line 1 column 1"),
        (b"", "this is not JSON: EOF while parsing"),
        (b"3", "input should be an object"),
    ],
)
def test_what_is_wrong_with_an_event_is_said_with_its_place(wrong: object, text: str) -> None:
    assert text in mistake("events", wrong)


def test_a_passive_result_is_taken_as_json() -> None:
    output = "DISK CRITICAL: 2% free | '/var log'=98%;80;90 time=120ms;; free=2GB rta=U\nmore"
    report = one("passive", {"host": "web1", "service": "Disk", "code": 2, "output": output, "at": EIGHT / 1000})
    assert (report.key, report.rule, report.severity) == ("web1/Disk", "Disk/critical", Severity.CRITICAL)
    assert (report.title, report.message) == ("Disk on web1 is critical", "DISK CRITICAL: 2% free")
    assert report.values == (Measured("/var log", 98.0), Measured("time", 0.12), Measured("free", 2e9))
    assert report.labels == (Named("check", "Disk"), Named("host", "web1"))
    assert (report.at_ms, report.expires_ms) == (EIGHT, NOW_MS + HOUR_MS)


def test_passive_results_are_taken_as_lines_of_a_command_file() -> None:
    lines = (
        f"[{EIGHT // 1000}] PROCESS_SERVICE_CHECK_RESULT;web1;HTTP;1;slow; 3 s|time=3s\n\n"
        "PROCESS_SERVICE_CHECK_RESULT;web1;Disk;0;OK\\nmore\r\n"
    )
    slow, well = read("passive", lines.encode(), "text/plain").reports
    assert (slow.at_ms, slow.message, slow.severity) == (EIGHT, "slow; 3 s", Severity.MINOR)
    assert slow.values == (Measured("time", 3.0),)
    assert (well.at_ms, well.state, well.message) == (NOW_MS, ReportState.OVER, "OK more")


def test_a_result_about_a_host_is_one_of_a_check_of_it() -> None:
    lines = b"PROCESS_HOST_CHECK_RESULT;web1;1;unreachable\n[1] PROCESS_HOST_CHECK_RESULT;web2;0;PING OK"
    down, well = read("passive", lines, "text/plain").reports
    assert (down.key, down.severity, down.message) == ("web1/host", Severity.CRITICAL, "unreachable")
    assert (well.key, well.state, well.at_ms) == ("web2/host", ReportState.OVER, 1_000)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"PROCESS_SERVICE_CHECK_RESULT;web1;HTTP;4;x", "text/plain", "line 1: 'PROCESS_SERVICE_CHECK_RESULT;web1"),
        (b"\nPROCESS_HOST_CHECK_RESULT;web1;3;x", "text/plain", "line 2: 'PROCESS_HOST_CHECK_RESULT;web1;3;x' is no"),
        (b"PROCESS_SERVICE_CHECK_RESULT;;HTTP;1;x", "", "line 1: HOST and SERVICE have 1 to 200 characters"),
        (b'{"host": "web1"}', "text/plain", "of JSON say so: Content-Type: application/json"),
        (b"\xff", "text/plain", "this is not UTF-8 text"),
        (b'{"host": "h", "service": "s", "code": 4}', "application/json", "code: input should be less than or equal"),
        (b'{"host": "h", "service": "s", "code": true}', "application/json", "code: input should be a valid integer"),
    ],
)
def test_what_is_wrong_with_a_passive_result_is_said_with_its_place(
    body: bytes, content_type: str, text: str
) -> None:
    assert text in mistake("passive", body, content_type)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_NAMES = (
    "version",
    "alerts",
    "status",
    "labels",
    "startsAt",
    "key",
    "title",
    "host",
    "service",
    "code",
    "output",
    "at",
)
_SENT = (
    st.binary()
    | _JSON.map(lambda found: json.dumps(found).encode())
    | st.dictionaries(st.sampled_from(_NAMES), _JSON).map(lambda found: json.dumps(found).encode())
    | st.text().map(lambda text: f"PROCESS_SERVICE_CHECK_RESULT;{text}".encode("utf-8", "surrogatepass"))
    | st.text().map(
        lambda text: f"PROCESS_SERVICE_CHECK_RESULT;a;b;2;{text}|{text}={text}".encode("utf-8", "replace")
    )
)


@pytest.mark.parametrize("kind", READERS)
@given(body=_SENT, content_type=st.sampled_from(["application/json", "text/plain"]))
def test_whatever_is_sent_is_read_or_refused(kind: str, body: bytes, content_type: str) -> None:
    refusal, reports = "", []
    try:
        reports = [*READERS[kind](source(kind), body, content_type, NOW_MS).reports]
    except Unreadable as error:
        refusal = str(error)
    assert len(refusal) < 5000
    assert "\0" not in refusal
    assert all(len(report.key) <= 200 for report in reports)
    str(reports).encode()


@given(at=st.text(max_size=30), text=st.text())
def test_whatever_an_alert_says_is_read_or_refused(at: str, text: str) -> None:
    said = alert(startsAt=at, endsAt=at[::-1], labels={text: text, "alertname": text, "instance": text})
    refusal = ""
    try:
        read("alertmanager", notification(said, groupKey=text), group_by=["groupKey"])
    except Unreadable as error:
        refusal = str(error)
    assert not refusal or refusal.startswith("alerts[0].")
