"""What a wrong address, wrong credentials, a missing right or a dead network gets: words that say what to do, and
tickets that wait. What only one system's own settings can get wrong stands with the tests of its self-test."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socket import create_server
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from tests.contract.test_ticket_backend import draft
from tests.engine import made
from tests.engine.backends import desk
from tests.itsm import jira_backend, servicenow_backend
from tests.itsm.servicenow_backend import secret
from tests.itsm.test_servicenow_traps import outcome_of
from tests.simulators import faults as f
from tests.simulators.clock import HandClock
from tests.simulators.http import Request, Response, serving
from tests.simulators.jira import Jira
from tests.simulators.jira import running as a_jira
from tests.simulators.servicenow import OAUTH_CLIENT, Instance
from tests.simulators.servicenow import running as an_instance
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import Denied, Rejected, Surroundings, TicketBackend
from watchkeeper.store import migrate, outbox
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState
from watchkeeper.store.record import record

SECRET = "tell-nobody"
SSO = "https://sso.example.com/login"
SETTINGS: dict[str, dict[str, Any]] = {
    "servicenow": {"auth": {"username": "watchkeeper", "password": SECRET}},
    "jira": {"auth": {"username": "bot", "password": SECRET}, "project": "OPS"},
    "rt": {"auth": {"token": SECRET}, "queue": "Incidents"},
    "webhook": {"headers": {"Authorization": SECRET}},
}
"""Of each system, with the secret in place of the file that holds it."""


def with_files(options: Any, folder: Path) -> Any:
    if isinstance(options, dict):
        return {name: with_files(value, folder) for name, value in options.items()}
    return secret(folder, SECRET) if options == SECRET else options


def backend_at(url: str, system: str, folder: Path) -> TicketBackend:
    """A backend as a configuration with this URL would make it."""
    kind, clock = itsm.find(system), HandClock()
    options = {"url": url, "timeout": "300ms", **with_files(SETTINGS[system], folder)}
    return kind.make(system, kind.options.model_validate(options), Surroundings(clock, None, Budget(None, clock)))


# Wherever the URL leads.


@contextmanager
def nobody_listens() -> Iterator[str]:
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def no_such_host() -> Iterator[str]:
    yield "https://no-such-host.invalid"


@contextmanager
def nobody_answers() -> Iterator[str]:
    """As a process that is stopped: its system takes the connection."""
    with create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def answers(status: int, headers: dict[str, str], body: bytes) -> Callable[[], AbstractContextManager[str]]:
    """A place that gives everybody this answer."""

    @contextmanager
    def open_place() -> Iterator[str]:
        with serving(lambda _request: Response(status, {**headers, "Connection": "close"}, body)) as server:
            yield server.url()

    return open_place


class Place(NamedTuple):
    """Somewhere that is no ticket system, and what is said of it. `rejects`: whether a receiver of any calls may mean
    that this one is wrong."""

    open: Callable[[], AbstractContextManager[str]]
    says: str
    rejects: bool = False


FORM = b"<!-- <p>no --><script>if (a < b) {}</script><p>Log&nbsp;in, it&#39;s free</p><input type=password>"
PLACES = {
    "nobody listens": Place(nobody_listens, "can not be reached: Connection refused (127.0.0.1:"),
    "there is no host": Place(no_such_host, "can not be reached: there is no host 'no-such-host.invalid'"),
    "nobody answers": Place(nobody_answers, "did not answer in time"),
    "no such page": Place(answers(404, f.HTML, b"<p>Oops, it&#39;s gone"), "Oops, it's gone", rejects=True),
    "no such method": Place(answers(405, f.HTML, b"<p>Not Allowed"), "(405)", rejects=True),
    "a login page": Place(answers(200, f.HTML, FORM), "Log in, it's free"),
    "a firewall": Place(answers(403, f.HTML, b"<p>Blocked by the firewall"), "(403)"),
    "a single sign-on": Place(
        answers(302, {"Location": f"{SSO}?SAMLRequest={SECRET}"}, b""), f"sends elsewhere (302), to {SSO}"
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("system", ["servicenow", "jira", "rt"])
def test_the_self_test_says_in_one_line_what_is_there_instead(system: str, place: Place, tmp_path: Path) -> None:
    with place.open() as url:
        [finding] = backend_at(url, system, tmp_path).check()

    text = finding.message.replace("answered 405", "(405)")
    assert place.says in text
    assert f"`url`: {url}" in text or ("403" in place.says and "Ask the administrator" in text)
    assert [word for word in (SECRET, "\n", "HTTPConnection", "Errno", "SAMLRequest") if word in text] == []


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("system", SETTINGS)
def test_a_ticket_waits_wherever_the_url_leads(system: str, place: Place, tmp_path: Path) -> None:
    with place.open() as url:
        outcome = outcome_of(lambda: backend_at(url, system, tmp_path).create(draft()))

    assert place.says in str(outcome).replace("answered 405", "(405)")
    assert isinstance(outcome, Rejected) == (place.rejects and system == "webhook")
    assert not isinstance(outcome, Rejected) or str(outcome).endswith("Is `url` right, and does it take such calls?")
    assert SECRET not in str(outcome)


@pytest.mark.parametrize(("system", "ref"), [("servicenow", f"incident/{'a' * 32}"), ("jira", "10001"), ("rt", "1")])
@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_ticket_is_not_taken_for_gone_because_somebody_elses_page_is(
    system: str, ref: str, status: int, tmp_path: Path
) -> None:
    with answers(status, f.HTML, b"<p>Not here")() as url:
        outcome = outcome_of(lambda: backend_at(url, system, tmp_path).fetch([ref]))

    assert not isinstance(outcome, Rejected)


# What goes wrong while it works: tickets wait, and each is made once when it is mended.


class Site(NamedTuple):
    """A simulated system, the backend for it, and the tickets that there are."""

    clock: HandClock
    backend: TicketBackend
    made: Callable[[], int]
    simulator: Any


@contextmanager
def a_servicenow(folder: Path, **given: Any) -> Iterator[Site]:
    with an_instance() as instance, servicenow_backend.made(instance, folder, **given) as backend:
        yield Site(instance.clock, backend, lambda: len(instance.rows("incident")), instance)


@contextmanager
def a_jira_cloud(folder: Path, **given: Any) -> Iterator[Site]:
    with a_jira("cloud") as jira, jira_backend.made(jira, folder, **given) as backend:
        yield Site(jira.clock, backend, lambda: len(jira.tracker.issues), jira)


@contextmanager
def a_servicenow_by_oauth(folder: Path) -> Iterator[Site]:
    auth = {"client_id": OAUTH_CLIENT[0], "client_secret": secret(folder, OAUTH_CLIENT[1])}
    with a_servicenow(folder, auth=auth) as site:
        yield site
        site.backend._client._login._token._http.forget()  # type: ignore[attr-defined]


@contextmanager
def a_jira_by_oauth(folder: Path) -> Iterator[Site]:
    with a_jira("cloud") as jira:
        client_id, client_secret = jira.client
        url = jira.server.url("/oauth/token")
        auth = {"client_id": client_id, "client_secret": secret(folder, client_secret), "token_url": url}
        with jira_backend.made(jira, folder, url=jira.gateway, auth=auth) as backend:
            yield Site(jira.clock, backend, lambda: len(jira.tracker.issues), jira)
            backend._api._token._http.forget()  # type: ignore[attr-defined]


def all_requests(_request: Request) -> bool:
    return True


def for_tokens(request: Request) -> bool:
    return request.path in ("/oauth_token.do", "/oauth/token")


class Trouble(NamedTuple):
    """What every request gets of which this holds, and what is said then."""

    status: int
    headers: dict[str, str]
    body: bytes
    says: str
    when: Callable[[Request], bool] = all_requests


NO_GRANT = b'{"error": "invalid_client", "error_description": "The secret has expired"}'
TROUBLES = {
    "the password was changed": Trouble(401, f.JSON, b'{"error": {"message": "No"}}', "Check `auth`"),
    "the site moved": Trouble(404, f.HTML, b"<p>Gone", "Gone"),
    "a firewall": Trouble(403, f.HTML, b"<p>Blocked", "Blocked"),
    "a login page": Trouble(200, f.HTML, FORM, "Log in"),
}
OAUTH_TROUBLES = {
    "the secret has expired": Trouble(401, f.JSON, NO_GRANT, "no token: does not know who asks (401)", for_tokens),
    "the grant is forbidden": Trouble(400, f.JSON, NO_GRANT, "may have client_credentials", for_tokens),
    "no token endpoint": Trouble(404, f.HTML, b"<p>Gone", "where tokens are fetched?", for_tokens),
    "the endpoint fails": Trouble(503, f.HTML, b"<p>Later", "no token: its endpoint failed (503)", for_tokens),
}
CASES = [
    *((site, trouble) for site in (a_servicenow, a_jira_cloud) for trouble in TROUBLES.items()),
    *((site, trouble) for site in (a_servicenow_by_oauth, a_jira_by_oauth) for trouble in OAUTH_TROUBLES.items()),
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'watchkeeper.db'}")
    migrate.upgrade(database)
    yield database
    database.close()


def work(delivery: Delivery, database: Database, clock: HandClock, until_ms: int) -> None:
    """Until nothing is left to do, or it is so late."""
    while clock() < until_ms:
        if delivery.step():
            continue
        if (due := outbox.next_due_ms(database, "desk")) is None:
            return
        clock.now_ms = max(due, clock() + max(1, round(delivery.wait_s() * 1000)))


@pytest.mark.parametrize(
    ("open_site", "named"), CASES, ids=lambda one: str(one[0]) if isinstance(one, tuple) else one.__name__
)
def test_tickets_wait_for_an_hour_of_trouble_and_each_is_made_once(
    open_site: Callable[[Path], AbstractContextManager[Site]],
    named: tuple[str, Trouble],
    tmp_path: Path,
    database: Database,
) -> None:
    trouble = named[1]
    with open_site(tmp_path) as site, capture_logs() as logs:
        site.clock.now_ms = made.NOW_MS
        delivery = Delivery(
            desk("desk", site.backend, site.clock), database, site.clock, lambda: 0.5, Figures("1.2.3")
        )
        record(database, [made.opened(made.incident(1)), made.create(made.incident(1))])
        work(delivery, database, site.clock, made.NOW_MS + 1)
        site.clock.advance(7_200)  # every token has expired
        answer = Response(trouble.status, {**trouble.headers, "Connection": "close"}, trouble.body)
        site.simulator.faults.always(f.says("trouble", answer, commits=False), when=trouble.when)
        for number in (2, 3):
            record(database, [made.opened(made.incident(number)), made.create(made.incident(number))])
        before = len(site.simulator.server.exchanges)
        work(delivery, database, site.clock, site.clock() + 3_600_000)

        waiting = [(depth.state, depth.count) for depth in outbox.depths(database)]
        asked = len(site.simulator.server.exchanges) - before
        site.simulator.faults.clear()
        work(delivery, database, site.clock, site.clock() + 7_200_000)

        assert waiting == [(OutboxState.WAITING, 2)]
        assert asked < 100
        assert outbox.depths(database) == []
        assert site.made() == 3
    [refusing] = [each for each in logs if each["event"] == "backend_refusing"]
    assert trouble.says in refusing["reason"]
    assert [each["event"] for each in logs].count("backend_recovered") == 1
    assert len(logs) < 120


@pytest.mark.parametrize("open_site", [a_servicenow_by_oauth, a_jira_by_oauth])
def test_a_client_that_is_refused_a_token_asks_once(
    open_site: Callable[[Path], AbstractContextManager[Site]], tmp_path: Path
) -> None:
    with open_site(tmp_path) as site:
        site.backend.create(draft())
        site.clock.advance(7_200)
        site.simulator.faults.always(f.says("no", Response(400, f.JSON, NO_GRANT), commits=False), when=for_tokens)

        outcome = outcome_of(lambda: site.backend.find("wk-1"))

        assert type(outcome) is Denied
        refused = [each for each in site.simulator.server.exchanges if each.fault]
        assert len(refused) == 1


# A field that may not be written, and a workflow without the way.


def without_a_field(simulator: Instance | Jira) -> None:
    if isinstance(simulator, Instance):
        simulator.acl.unwritable.add(("incident", "category"))
    else:
        simulator.site.take_off_screen("OPS", "customfield_10041")


@pytest.mark.parametrize(
    ("open_site", "field", "says"),
    [
        (a_servicenow, "category", "Ask for an access rule that lets its user"),
        (
            a_jira_cloud,
            "customfield_10041",
            "there is no field 'customfield_10041' on its screen: tickets go without",
        ),
    ],
)
def test_a_field_that_is_not_stored_is_told_at_the_first_ticket_and_then_no_more(
    open_site: Callable[..., AbstractContextManager[Site]], field: str, says: str, tmp_path: Path
) -> None:
    with open_site(tmp_path, fields={field: "network"}) as site:
        without_a_field(site.simulator)
        with capture_logs() as logs:
            for number in range(3):
                site.backend.create(draft(f"wk-{number}"))

        [told] = logs
        assert (told["event"], told["log_level"]) == ("ticket_incomplete", "warning")
        assert says in told["text"]
        assert any(says in finding.message for finding in site.backend.check())
        assert site.made() == 3


@pytest.mark.parametrize(("given", "role"), [({}, "itil"), ({"mode": "events"}, "evt_mgmt_integration")])
def test_a_role_that_is_missing_is_named_at_the_first_refusal(
    given: dict[str, Any], role: str, tmp_path: Path
) -> None:
    with an_instance() as instance, servicenow_backend.made(instance, tmp_path, **given) as backend:
        instance.auth.users["watchkeeper"].roles.discard(role)

        outcome = outcome_of(lambda: backend.create(draft()))

    assert type(outcome) is Denied
    assert str(outcome).endswith(f"Its user needs the role {role}")


def test_a_group_that_there_is_not_is_told_at_the_first_ticket(tmp_path: Path) -> None:
    with a_servicenow(tmp_path, fields={"assignment_group": "Netwrok"}) as site, capture_logs() as logs:
        site.backend.create(draft())

        assert [each["text"] for each in logs] == [
            "assignment_group: sys_user_group has no record of the name 'Netwrok'"
        ]
        assert [finding.message for finding in site.backend.check()] == [logs[0]["text"]]


@pytest.mark.parametrize("deployment", ["cloud", "server"])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"transitions": {"resolved": ["Ship"]}},
            "no transition named 'Ship' from 'To Do': there is To Do (to To Do)",
        ),
        ({"states": {"cancelled": ["Done"]}}, "no transition to resolved from 'To Do'"),
    ],
)
def test_a_workflow_without_the_transition_is_told_as_soon_as_there_is_a_ticket(
    deployment: Any, given: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with a_jira(deployment) as jira, jira_backend.made(jira, tmp_path, **given) as backend:
        backend.create(jira_backend.draft())

        found = [finding.message for finding in backend.check()]

    assert any(text.startswith("OPS-1 can not be resolved: there is ") and says in text for text in found), found
