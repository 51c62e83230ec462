"""Who asks a Jira: all ways that there are, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.itsm.jira_backend import draft, made, options, secret
from tests.simulators.http import Request
from tests.simulators.jira import running
from tests.simulators.jira_accounts import Token
from watchkeeper.domain.ticket import TicketChange, TicketState
from watchkeeper.itsm.base import Denied, Unavailable

OVER = TicketChange("over", TicketState.RESOLVED, "c1")


def asks_for_a_token(request: Request) -> bool:
    return request.path.endswith("/token")


def test_a_token_with_scopes_goes_by_the_gateway(tmp_path: Path) -> None:
    with running("cloud") as site:
        username, token = site.scoped_login
        auth = {"username": username, "token": secret(tmp_path, token)}
        with made(site, tmp_path, url=site.gateway, auth=auth) as backend:
            ticket = backend.create(draft())

            assert backend.update(ticket, OVER).state is TicketState.RESOLVED
            assert backend.find("wk-1") != []
            assert backend.check() == []
            site.accounts.tokens[token] = Token("bot", frozenset(("read:jira-work", "read:jira-user")))
            with pytest.raises(Denied, match="scope does not match"):
                backend.create(draft("wk-2"))


@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_a_service_account_gets_a_token_and_a_new_one_in_time(tmp_path: Path, deployment: Any) -> None:
    with running(deployment) as site:
        client_id, client_secret = site.client
        auth: dict[str, Any] = {"client_id": client_id, "client_secret": secret(tmp_path, client_secret)}
        if deployment == "cloud":
            auth["token_url"] = site.server.url("/oauth/token")
        url = site.gateway if deployment == "cloud" else site.url
        with made(site, tmp_path, url=url, auth=auth) as backend:
            ticket = backend.create(draft())
            site.clock.advance(3_000)
            backend.fetch([ticket.ref])
            assert len([each for each in site.requests("POST") if asks_for_a_token(each.request)]) == 1

            site.clock.advance(541)  # a minute before it expires
            backend.fetch([ticket.ref])
            assert len([each for each in site.requests("POST") if asks_for_a_token(each.request)]) == 2

            site.accounts.issued.clear()
            with pytest.raises(Denied):
                backend.fetch([ticket.ref])
            assert backend.fetch([ticket.ref]) != []  # with a new one


def test_a_client_that_gets_no_token_is_denied(tmp_path: Path) -> None:
    with running("server") as site:
        auth = {"client_id": "bot-client", "client_secret": secret(tmp_path, "wrong")}
        with made(site, tmp_path, auth=auth) as backend, pytest.raises(Denied) as raised:
            backend.create(draft())
        assert "gives the OAuth client no token" in str(raised.value)
        assert "wrong" not in str(raised.value)


def test_a_personal_access_token_is_taken(tmp_path: Path) -> None:
    with running("server") as site:
        site.accounts.basic = False
        with made(site, tmp_path, auth={"token": secret(tmp_path, site.pat)}) as backend:
            assert backend.create(draft()).number == "OPS-1"
        with made(site, tmp_path, auth={"token": secret(tmp_path, "no")}) as backend, pytest.raises(Denied):
            backend.create(draft())


def test_a_secret_that_is_not_there_is_unavailable_and_not_asked_about(tmp_path: Path) -> None:
    with running("server") as site:
        with (
            made(site, tmp_path, auth={"token": {"file": str(tmp_path / "gone")}}) as backend,
            pytest.raises(Unavailable, match="No such file"),
        ):
            backend.create(draft())
        assert site.requests() == []


def test_a_password_on_cloud_is_refused_in_jiras_words(tmp_path: Path) -> None:
    with running("cloud") as site:
        auth = {"username": "bot@example.com", "password": secret(tmp_path, "bot-password")}
        with made(site, tmp_path, auth=auth) as backend, pytest.raises(Denied, match="passwords is deprecated"):
            backend.create(draft())


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({}, "must be one of {username, token}"),
        ({"username": "bot"}, "must be one of"),
        ({"username": "bot", "token": {"env": "A"}, "password": {"env": "A"}}, "must be one of"),
        ({"client_id": "a"}, "must be one of"),
        ({"username": "bot", "token": "written down"}, "a secret does not stand in the file"),
        ({"token": {"env": "A"}, "token_url": "https://example.com"}, "must be one of"),
    ],
)
def test_other_ways_to_log_in_are_no_configuration(tmp_path: Path, auth: dict[str, Any], said: str) -> None:
    with running("cloud") as site, pytest.raises(ValidationError, match=said):
        options(site, tmp_path, auth=auth)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://jira.example.com"}, "must begin with https://"),
        ({"url": "https://jira.example.com/rest/api/2"}, "ends before /rest"),
        ({"url": "https://x.atlassian.net", "auth": {"client_id": "a", "client_secret": {"env": "A"}}}, "CLOUD_ID"),
        ({"project": "my project"}, "must be the project's key"),
        ({"labels": ["two words"]}, "no spaces"),
        ({"fields": {"labels": ["a"]}}, "labels is watchkeeper's own to set: see `labels`"),
        ({"fields_by": [{"fields": {"summary": "a"}}]}, "summary is watchkeeper's own to set"),
        ({"priority": {6: "High"}}, "less than or equal to 5"),
        ({"states": {"on_hold": ["Closed"]}}, "stands in more than one list"),
    ],
)
def test_what_can_not_be_is_no_configuration(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with running("cloud") as site, pytest.raises(ValidationError, match=said):
        options(site, tmp_path, **given)
