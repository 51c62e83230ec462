"""What is accepted for a system over HTTP, and which fields a ticket gets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.contract.test_ticket_backend import draft
from watchkeeper import itsm
from watchkeeper.domain.rule import Severity
from watchkeeper.itsm._options import RemoteOptions, reveal
from watchkeeper.itsm.base import BackendOptions, Unavailable
from watchkeeper.schema.fields import Secret

MINUTE = 60_000
DRAFT = replace(draft(), service="web-shop", rule="service-down", severity=Severity.CRITICAL)


def options(**given: Any) -> RemoteOptions:
    return RemoteOptions.model_validate({"url": "https://desk.example.com", **given})


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example.com",
        "http://127.0.0.1:8080",
        "http://127.8.8.8/rt",
        "http://localhost",
        "http://[::1]:80",
    ],
)
def test_a_system_is_reached_over_tls_or_on_this_machine(url: str) -> None:
    assert options(url=url).url == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://desk.example.com", "must begin with https://: http:// is accepted for this machine only"),
        ("http://10.0.0.1", "must begin with https://"),
        ("http://localhost.example.com", "must begin with https://"),
        ("http://127.0.0.1.example.com", "must begin with https://"),
        ("https://user:secret@desk.example.com", "a secret does not stand in the file"),
        ("https://desk.example.com?key=1", "ends where"),
        ("https://desk.example.com/#top", "ends where"),
        ("desk.example.com", "must be a URL"),
    ],
)
def test_other_urls_are_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why.replace("?", r"\?")) as raised:
        options(url=url)

    assert "secret@" not in str(raised.value)


def test_a_url_may_end_with_a_slash() -> None:
    assert options(url="https://desk.example.com/rt/").url == "https://desk.example.com/rt"


def test_a_call_may_not_take_for_ever() -> None:
    assert options(timeout="10m").timeout == 600_000
    with pytest.raises(ValidationError, match="at most 10m"):
        options(timeout="11m")


def test_fields_are_those_of_all_tickets_and_those_of_the_entries_that_hold() -> None:
    wanted = options(
        fields={"category": "network", "team": "all"},
        fields_by=[
            {"service": "web-*", "fields": {"team": "web"}},
            {"service": "db-*", "fields": {"team": "db"}},
            {"rule": "*-down", "severity": "critical", "fields": {"watch": ["a", "b"]}},
            {"severity": "minor", "fields": {"team": "nobody"}},
        ],
    )

    assert wanted.fields_of(DRAFT) == {"category": "network", "team": "web", "watch": ["a", "b"]}
    assert wanted.all_fields() == {
        "category": ["network"],
        "team": ["all", "web", "db", "nobody"],
        "watch": [["a", "b"]],
    }


def test_of_entries_that_hold_the_last_one_counts() -> None:
    wanted = options(fields_by=[{"fields": {"team": "first"}}, {"fields": {"team": "last"}}])

    assert wanted.fields_of(DRAFT) == {"team": "last"}


def test_a_secret_is_read_when_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = Secret("file", str(file))

    with pytest.raises(Unavailable, match=f"the secret file {file}: No such file"):
        reveal(token)
    file.write_text("now it is\n")

    assert reveal(token) == "now it is"
    assert reveal("no secret") == "no secret"


def test_all_tickets_are_read_less_often_than_what_has_changed() -> None:
    def sweep_ms(**given: str) -> int:
        return itsm.find("local").policy(BackendOptions.model_validate(given)).sweep_every_ms

    assert sweep_ms() == 15 * MINUTE
    assert sweep_ms(sync="1h") == 60 * MINUTE
    assert sweep_ms(sync="5m", sweep="5m") == 5 * MINUTE
    with pytest.raises(ValidationError, match="`sweep` must be at least as long as `sync`"):
        sweep_ms(sync="5m", sweep="4m")
