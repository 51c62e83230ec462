"""Who asks ServiceNow, in each of the ways that there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm.servicenow_backend import made, secret
from tests.itsm.test_servicenow_traps import on, outcome_of
from tests.simulators import faults as f
from tests.simulators.http import Fault
from tests.simulators.servicenow import API_KEY, INTEGRATION, OAUTH_CLIENT, Instance
from watchkeeper.itsm.base import Denied, TicketBackend, Unavailable

TOKEN = "/oauth_token.do"


def auth_by(folder: Path, way: str) -> dict[str, Any]:
    ways: dict[str, dict[str, Any]] = {
        "password": {"username": INTEGRATION[0], "password": secret(folder, INTEGRATION[1])},
        "oauth": {"client_id": OAUTH_CLIENT[0], "client_secret": secret(folder, OAUTH_CLIENT[1])},
        "key": {"api_key": secret(folder, API_KEY)},
    }
    return ways[way]


@pytest.fixture
def oauth(instance: Instance, tmp_path: Path) -> Iterator[TicketBackend]:
    with made(instance, tmp_path, auth=auth_by(tmp_path, "oauth")) as backend:
        yield backend
        backend._client._login._token._http.forget()  # type: ignore[attr-defined]


def tokens(instance: Instance) -> int:
    return len(instance.requests("POST", TOKEN))


@pytest.mark.parametrize("way", ["password", "key"])
def test_a_ticket_is_created_by_whoever_is_configured(instance: Instance, tmp_path: Path, way: str) -> None:
    with made(instance, tmp_path, auth=auth_by(tmp_path, way)) as snow:
        snow.create(draft())

    assert instance.tickets("wk-1")[0]["sys_created_by"] == INTEGRATION[0]


def test_a_token_serves_until_a_minute_before_it_expires(instance: Instance, oauth: TicketBackend) -> None:
    oauth.create(draft())
    instance.clock.advance(instance.auth.token_life_s - 61)
    oauth.create(draft("wk-2"))
    early = tokens(instance)
    instance.clock.advance(1)
    oauth.create(draft("wk-3"))

    assert (early, tokens(instance)) == (1, 2)


def test_a_token_that_lives_shorter_than_a_minute_serves_half_its_life(
    instance: Instance, oauth: TicketBackend
) -> None:
    instance.auth.token_life_s = 10
    oauth.create(draft())
    instance.clock.advance(4)
    oauth.create(draft("wk-2"))
    instance.clock.advance(1)
    oauth.create(draft("wk-3"))

    assert tokens(instance) == 2


def test_a_token_that_was_revoked_is_replaced_once_and_the_ticket_made_once(
    instance: Instance, oauth: TicketBackend
) -> None:
    oauth.create(draft())
    instance.auth.revoke()

    oauth.create(draft("wk-2"))

    assert tokens(instance) == 2
    assert len(instance.tickets("wk-2")) == 1


def test_who_is_refused_with_a_new_token_too_is_denied(instance: Instance, oauth: TicketBackend) -> None:
    instance.auth.users[INTEGRATION[0]].needs_second_factor = True

    outcome = outcome_of(lambda: oauth.create(draft()))

    assert type(outcome) is Denied
    assert len(instance.posts("wk-1")) == 2


def test_a_wrong_password_is_denied_and_not_tried_again(instance: Instance, tmp_path: Path) -> None:
    wrong = {"username": INTEGRATION[0], "password": secret(tmp_path, "tell-nobody")}
    with made(instance, tmp_path, auth=wrong) as snow:
        outcome = outcome_of(lambda: snow.create(draft()))

    assert type(outcome) is Denied
    assert "tell-nobody" not in str(outcome)
    assert len(instance.requests()) == 1


def test_a_client_without_a_grant_is_denied(instance: Instance, oauth: TicketBackend) -> None:
    instance.auth.client_credentials_enabled = False

    outcome = outcome_of(lambda: oauth.create(draft()))

    assert type(outcome) is Denied
    assert str(outcome).startswith("gives the OAuth client no token: ")
    assert instance.posts("wk-1") == []


@pytest.mark.parametrize(
    "fault", [f.COMMITS_AND_TRUNCATES, f.SAYS_LOGIN_PAGE, f.SAYS_503, f.COMMITS_AND_CLOSES], ids=str
)
def test_a_token_that_does_not_come_leaves_the_ticket_surely_not_made(
    instance: Instance, oauth: TicketBackend, fault: Fault
) -> None:
    instance.faults.then(fault, when=on(TOKEN))

    outcome = outcome_of(lambda: oauth.create(draft()))

    assert type(outcome) is Unavailable
    assert "token-1" not in str(outcome)
    assert instance.posts("wk-1") == []


def test_a_secret_that_is_not_there_is_unavailable(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, auth={"api_key": {"file": str(tmp_path / "none")}}) as snow:
        outcome = outcome_of(lambda: snow.create(draft()))

    assert type(outcome) is Unavailable
    assert f"the secret file {tmp_path}/none: No such file" in str(outcome)
