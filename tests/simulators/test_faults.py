"""What a client sees when something goes wrong on the way to a server, and whether it was done."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from tests.probers.servers import certificate, tls_by
from tests.simulators import faults as f
from tests.simulators.clock import HandClock
from tests.simulators.faults import Faults
from tests.simulators.http import Fault, Request, Response, Server, came, json_response, serving
from tests.simulators.servicenow_faults import SERVICENOW_COMMITTED, SERVICENOW_LOST


@pytest.fixture
def done() -> list[str]:
    """The bodies of all requests that were done."""
    return []


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def server(done: list[str], faults: Faults) -> Iterator[Server]:
    def app(request: Request) -> Response:
        done.append(request.body.decode())
        return json_response(201, {"result": {"sys_id": "1" * 32}})

    with serving(app, faults, clock=HandClock()) as served:
        yield served


def post(server: Server, body: str = "a", timeout: float = 5) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(server.url("/things"), data=body, timeout=timeout)


def test_without_faults_a_request_is_done_and_answered(server: Server, done: list[str]) -> None:
    answered = post(server)

    assert (answered.status_code, answered.json()) == (201, {"result": {"sys_id": "1" * 32}})
    assert answered.headers["Date"] == "Tue, 24 Nov 2026 11:38:00 GMT"
    assert done == ["a"]
    assert [str(each) for each in server.exchanges] == ["POST /things 201"]


def test_a_connection_serves_many_requests(server: Server) -> None:
    with requests.Session() as session:
        for _ in range(3):
            session.get(server.url("/a?b=c%20d&e="), timeout=5)

    assert server.connections == 1
    assert server.exchanges[0].request.query == {"b": "c d", "e": ""}


def test_over_tls_it_is_all_the_same(tmp_path: Path, done: list[str]) -> None:
    made = certificate(tmp_path)
    faults = Faults()
    faults.then(f.COMMITS_AND_RESETS)
    with serving(lambda _request: Response(200, {}, b"fine"), faults, tls=tls_by(made)) as server:
        with pytest.raises(requests.ConnectionError):
            requests.post(server.url("/"), verify=str(made), timeout=5)
        assert requests.get(server.url("/"), verify=str(made), timeout=5).text == "fine"
        assert [exchange.status for exchange in server.exchanges] == [200, 200]


@pytest.mark.parametrize("fault", [*f.REFUSED, *f.LOST, *SERVICENOW_LOST], ids=str)
def test_what_is_lost_or_refused_was_not_done(server: Server, faults: Faults, done: list[str], fault: Fault) -> None:
    faults.then(fault)

    with suppress(requests.RequestException):
        post(server, timeout=0.1)
    server.wait_until(came(1))
    server.release()

    assert done == []
    assert not fault.commits
    assert server.exchanges[0].status is None
    assert server.exchanges[0].fault == fault.name


@pytest.mark.parametrize("fault", [*f.COMMITTED, *SERVICENOW_COMMITTED], ids=str)
def test_what_is_committed_was_done_and_nobody_is_told_so(
    server: Server, faults: Faults, done: list[str], fault: Fault
) -> None:
    faults.then(fault)

    told = False
    with suppress(requests.RequestException):
        answered = post(server, timeout=0.1)
        told = answered.ok and "error" not in answered.json()
    server.wait_until(came(1))
    server.release()

    assert done == ["a"]
    assert fault.commits
    assert not told


def test_what_hangs_and_commits_late_is_done_when_it_is_released(
    server: Server, faults: Faults, done: list[str]
) -> None:
    faults.then(f.HANGS_AND_COMMITS)

    with pytest.raises(requests.ReadTimeout):
        post(server, timeout=0.05)
    server.wait_until(came(1))
    before = list(done)
    server.release()

    assert (before, done) == ([], ["a"])


def test_an_answer_that_hangs_comes_when_it_is_released(server: Server, faults: Faults) -> None:
    faults.then(f.COMMITS_AND_HANGS)
    got: list[int] = []
    client = threading.Thread(target=lambda: got.append(post(server).status_code))
    client.start()
    server.wait_until(lambda server: server.exchanges[-1:] != [] and server.exchanges[-1].status == 201)
    server.release()
    client.join()

    assert got == [201]


@pytest.mark.parametrize(
    ("fault", "raised", "told"),
    [
        (f.HANGS, requests.ReadTimeout, "timed out"),
        (f.RESETS, requests.ConnectionError, "reset by peer"),
        (f.COMMITS_AND_RESETS, requests.ConnectionError, "reset by peer"),
        (f.CLOSES, requests.ConnectionError, "closed connection without response"),
        (f.COMMITS_AND_BREAKS_OFF, requests.exceptions.ChunkedEncodingError, "IncompleteRead"),
    ],
    ids=str,
)
def test_a_broken_answer_is_an_error_of_the_connection(
    server: Server, faults: Faults, fault: Fault, raised: type[Exception], told: str
) -> None:
    faults.then(fault)

    with pytest.raises(raised, match=told):
        post(server, timeout=0.1 if fault is f.HANGS else 5)


def test_a_truncated_answer_with_the_right_length_is_only_seen_in_its_text(server: Server, faults: Faults) -> None:
    faults.then(f.COMMITS_AND_TRUNCATES)

    answered = post(server)

    assert answered.status_code == 201
    with pytest.raises(json.JSONDecodeError):
        json.loads(answered.text)


def test_an_answer_that_drips_never_meets_a_read_timeout(server: Server, faults: Faults, done: list[str]) -> None:
    faults.then(f.COMMITS_AND_DRIPS)

    with requests.Session() as session, session.post(server.url("/"), timeout=0.2, stream=True) as answered:
        first = [answered.raw.read(1) for _ in range(3)]

    assert (first, done) == ([b"{", b'"', b"r"], [""])


def test_refusals_say_when_to_come_back_in_three_ways(server: Server, faults: Faults) -> None:
    faults.then(*f.REFUSED)

    after = [post(server).headers.get("Retry-After") for _ in range(3)]

    assert after[:2] == [None, "7"]
    assert after[2] is not None
    assert parsedate_to_datetime(after[2]).second == 7


def test_faults_are_met_by_the_requests_they_are_meant_for(server: Server, faults: Faults) -> None:
    faults.then(f.SAYS_502, None, f.SAYS_503, when=f.writes)

    seen = [requests.get(server.url("/"), timeout=5).status_code, *(post(server).status_code for _ in range(4))]

    assert seen == [201, 502, 201, 503, 201]
    assert faults.left == 0


def test_what_always_happens_ends_when_it_is_cleared(server: Server, faults: Faults) -> None:
    faults.always(f.SAYS_500)
    seen = [post(server).status_code for _ in range(2)]
    faults.clear()

    assert [*seen, post(server).status_code] == [500, 500, 201]


def test_one_seed_gives_the_same_faults_again() -> None:
    def names(seed: int) -> list[str]:
        faults = Faults()
        faults.at_random(seed, 0.5, [*f.LOST, *f.COMMITTED], f.writes)
        asked: Callable[[str], Request] = lambda method: Request(method, "/", {}, {}, b"")  # noqa: E731
        met = [faults(asked("POST")) for _ in range(50)]
        assert faults(asked("GET")) is None
        return [fault.name if fault is not None else "" for fault in met]

    assert names(1) == names(1) != names(2)
    assert 10 < names(1).count("") < 40


def test_requests_under_way_are_told_of_each_other(server: Server, faults: Faults) -> None:
    faults.then(f.HANGS)
    with pytest.raises(requests.ReadTimeout):
        post(server, "first", timeout=0.05)
    server.wait_until(came(1))
    post(server, "second")
    server.release()
    post(server, "third")

    assert [len(each.request.parallel) for each in server.exchanges] == [0, 1, 0]


def test_a_server_closes_though_everything_hangs(faults: Faults) -> None:
    faults.always(f.COMMITS_AND_HANGS)
    with serving(lambda _request: Response(200), faults) as server:
        clients = [threading.Thread(target=lambda: _asks_in_vain(server)) for _ in range(5)]
        for client in clients:
            client.start()
        server.wait_until(came(5))
    for client in clients:
        client.join()


def _asks_in_vain(server: Server) -> None:
    with pytest.raises(requests.ConnectionError):
        post(server)


def test_a_bug_of_the_application_is_raised_where_the_server_ends() -> None:
    def app(_request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"), serving(app) as server, suppress(requests.ConnectionError):
        post(server)
