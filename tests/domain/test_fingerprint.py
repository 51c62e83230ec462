"""Which failures are the same one again."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.fingerprint import MOST_KEPT, failure_class, fingerprint
from watchkeeper.domain.units import format_time


@pytest.mark.parametrize(
    ("one", "again"),
    [
        ("answered 503 in 1.204 s", "answered 503 in 0.9 s"),
        ("no answer within 10s", "no answer within 2m30s"),
        ("10.0.0.7:5432: connection refused", "192.168.17.4:15432: connection refused"),
        ("connection refused by [2001:db8::1]:443", "connection refused by [2001:db8::ff]:8443"),
        ("expired on 2026-11-24 03:00:12Z", "expired on 2027-01-02 04:01:02Z"),
        ("expired Nov 24 03:00:01 2026 GMT", "expired Jan  3 12:59:01 2027 GMT"),
        ("/ is 97.3% full, 1.2 GiB are left", "/ is 98% full, 900 MiB are left"),
        ("id 6f1c3a52-7d3e-4a31-9d2e-0c1a2b3c4d5e failed", "id 00000000-0000-4000-8000-00000000000a failed"),
        ("job 0x7ffe12 died at 12:30:01.250", "job 0x1 died at 03:07:59.001"),
        ("cannot read /var/backups/db-20261124.dump", "cannot read /var/backups/db-20261201.dump"),
        ("worker-17 is down", "worker-3 is down"),
        ("no file for 26h", "no file for 3d4h"),
        ("transaction 9f8e7d6c5b4a rolled back", "transaction 1a2b3c4d5e6f rolled back"),
        ("tries at 5, 10 and 20 s", "tries at 7, 14 and 28 s"),
        (f'the body is "{"a long page " * 9}"', f'the body is "{"another long page " * 9}"'),
    ],
)
def test_what_changes_from_time_to_time_makes_no_other_failure(one: str, again: str) -> None:
    assert failure_class(one) == failure_class(again)


DIFFERENT = [
    "answered 503 in 1.2 s",
    "answered 500 in 1.2 s",
    "answered 404, expected 200",
    "status 503",
    "status 500",
    "connection refused by 10.0.0.7:443",
    "no answer from 10.0.0.7:443 within 10 s",
    "the certificate has expired 3d ago",
    "the certificate expires in 3d",
    "exit code 1",
    "exit code 2",
    "ORA-01017: invalid username/password",
    "ORA-12541: no listener",
    "TLS 1.0 is spoken",
    "TLS 1.2 is spoken",
    "no IPv4 address",
    "no IPv6 address",
    'the body has no "healthy"',
    'the body has no "ready"',
    "NXDOMAIN",
    "SERVFAIL",
    "磁盘空间不足",
    "连接被拒绝",
]


def test_different_failures_stay_different() -> None:
    assert len({failure_class(message) for message in DIFFERENT}) == len(DIFFERENT)


def test_a_class_can_be_read() -> None:
    assert failure_class("Answered 503 in 1.204 s") == "answered 503 in #"
    assert failure_class("10.0.0.7:5432: connection refused") == "#: connection refused"
    assert failure_class("/var/backups/db-2026-11-24.dump is 26h old") == "/var/backups/db-#.dump is # old"


ANY = st.text(max_size=400)
PIECES = ["status", "503", "code", " ", ":", "12:30", "10.0.0.1", '"', "nov", "24", "#", "-", "ms", "é", "a" * 61]
TELLING = st.text(alphabet='0123456789abcdef:.-/ "#%TZ[]()s,é中', max_size=80) | st.lists(
    st.sampled_from(PIECES), max_size=40
).map("".join)


@given(ANY | TELLING | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_message_has_a_class_which_is_its_own(message: str) -> None:
    found = failure_class(message)
    assert len(found) <= MOST_KEPT
    assert failure_class(found) == found
    assert re.fullmatch(r"[0-9a-f]{24}", fingerprint("rule", "shop", "", message).hash)


NUMBERS = st.floats(min_value=0, max_value=1e6, allow_nan=False).map(lambda value: f"{value:.3f}")
STAMPS = st.integers(0, 4_000_000_000_000).map(format_time)
PLACES = st.tuples(st.ip_addresses(v=4), st.integers(1, 65535)).map(lambda place: f"{place[0]}:{place[1]}")
IDS = st.integers(0, 2**128 - 1).map(lambda number: str(UUID(int=number)))


@given(st.data())
def test_a_class_does_not_depend_on_what_changes(data: st.DataObject) -> None:
    def said() -> str:
        seconds, stamp, place, name = (data.draw(one) for one in (NUMBERS, STAMPS, PLACES, IDS))
        unit = data.draw(st.sampled_from(["s", "ms", "minutes", "h"]))
        return f"{place} did not answer for {seconds} {unit} since {stamp} (request {name})"

    assert failure_class(said()) == failure_class(said())


def test_a_fingerprint_depends_on_rule_service_ci_and_failure() -> None:
    made = [
        fingerprint(*parts)
        for parts in (
            ("down", "shop", "", "refused"),
            ("slow", "shop", "", "refused"),
            ("down", "mail", "", "refused"),
            ("down", "shop", "SRV1", "refused"),
            ("down", "shop", "", "timed out"),
            ("down", "shop/ci=x", "", "timed out"),
            ("down", "shop", "x", "timed out"),
        )
    ]
    assert len({one.hash for one in made}) == len({one.key for one in made}) == len(made)
    assert made[0].key == "down/service=shop/refused"
