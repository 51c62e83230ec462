"""Every way in which a call over HTTP can end has the name of an outcome, and no call is made twice."""

import gzip
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_server

import pytest

from tests.probers.authority import a_ca, issued
from tests.probers.servers import certificate, tls_by
from tests.simulators import faults as f
from tests.simulators.clock import HandClock
from tests.simulators.faults import Faults
from tests.simulators.http import Fault, Response, Server, Wire, json_response, serving
from tests.simulators.servicenow_faults import SERVICENOW_COMMITTED, SERVICENOW_LOST
from watchkeeper.domain.budget import Budget
from watchkeeper.itsm._http import MAX_BODY, Answer, Http, retry_after_s
from watchkeeper.itsm.base import Ambiguous, Denied, Outcome, Rejected, Throttled, Unavailable

CLOCK = HandClock()


def the_client(url: str, timeout_s: float = 5, **given: object) -> Http:
    options = {"verify": True, "authenticate": dict, **given}
    return Http(url, timeout_s=timeout_s, clock=CLOCK, budget=Budget(None, CLOCK), **options)  # type: ignore[arg-type]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def server(faults: Faults) -> Iterator[Server]:
    with serving(lambda request: json_response(201, {"result": request.path}), faults, clock=CLOCK) as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[Http]:
    made = the_client(server.url())
    yield made
    made.forget()


def outcome_of(ask: Callable[[], object]) -> Outcome:
    with pytest.raises(Outcome) as raised:
        ask()
    return raised.value


def write(client: Http) -> object:
    """What a backend does: it makes a call, and reads the answer."""
    return client.call("POST", "/things", json_body={"a": 1}).json()


def read(client: Http) -> object:
    return client.call("GET", "/things").json()


def test_a_call_that_is_answered_well_gives_its_answer(server: Server, client: Http) -> None:
    assert client.call("POST", "/things", params={"a": "ü"}, json_body={"b": 1}).json() == {"result": "/things"}

    asked = server.exchanges[0].request
    assert (asked.query, asked.json()) == ({"a": "ü"}, {"b": 1})
    assert asked.headers["user-agent"].startswith("watchkeeper/")
    assert asked.headers["accept"] == "application/json"


def test_calls_of_one_thread_share_a_connection_and_its_cookies(server: Server, faults: Faults, client: Http) -> None:
    faults.then(
        f.says("begins a session", Response(200, {"Set-Cookie": "JSESSIONID=1; Path=/"}, b"{}"), commits=False)
    )

    for _ in range(3):
        client.call("GET", "/things")

    assert server.connections == 1
    assert [each.request.headers.get("cookie") for each in server.exchanges] == [None, "JSESSIONID=1", "JSESSIONID=1"]


def test_threads_share_neither_connections_nor_cookies(server: Server, faults: Faults, client: Http) -> None:
    faults.then(
        f.says("begins a session", Response(200, {"Set-Cookie": "JSESSIONID=1; Path=/"}, b"{}"), commits=False)
    )
    client.call("GET", "/things")

    def ask() -> None:
        client.call("GET", "/things")
        client.forget()

    other = threading.Thread(target=ask)
    other.start()
    other.join()

    assert server.connections == 2
    assert "cookie" not in server.exchanges[1].request.headers


@pytest.mark.parametrize("fault", [*f.LOST, *f.COMMITTED, *SERVICENOW_LOST[1:], *SERVICENOW_COMMITTED[:1]], ids=str)
def test_a_write_whose_answer_is_lost_is_ambiguous_and_made_once(
    server: Server, faults: Faults, fault: Fault
) -> None:
    faults.then(fault)
    client = the_client(server.url(), timeout_s=0.15 if "hang" in fault.name else 5)

    outcome = outcome_of(lambda: write(client))
    server.release()
    client.forget()

    assert type(outcome) is Ambiguous
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    "fault",
    [each for each in (*f.LOST, *f.COMMITTED) if "202" not in each.name and "come back" not in each.name],
    ids=str,
)
def test_a_read_whose_answer_is_lost_is_unavailable(server: Server, faults: Faults, fault: Fault) -> None:
    faults.then(fault)
    client = the_client(server.url(), timeout_s=0.15 if "hang" in fault.name else 5)

    outcome = outcome_of(lambda: read(client))
    server.release()
    client.forget()

    assert type(outcome) is Unavailable
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    ("fault", "wanted"), [(f.THROTTLES, None), (f.THROTTLES_7_S, 7), (f.THROTTLES_UNTIL, 7)], ids=str
)
def test_who_asks_too_often_is_told_for_how_long_to_wait(
    faults: Faults, client: Http, fault: Fault, wanted: float | None
) -> None:
    faults.then(fault)

    outcome = outcome_of(lambda: write(client))

    assert isinstance(outcome, Throttled)
    assert outcome.retry_after_s == wanted


def test_a_failing_read_may_be_told_when_to_come_back_and_a_write_stays_uncertain(
    faults: Faults, client: Http
) -> None:
    faults.then(f.SAYS_503_AFTER_7, f.SAYS_503_AFTER_7)

    told = outcome_of(lambda: read(client))

    assert isinstance(told, Throttled)
    assert told.retry_after_s == 7
    assert type(outcome_of(lambda: write(client))) is Ambiguous


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"X-RateLimit-Reset": "1795528800"}])
def test_a_failure_with_the_headers_of_every_answer_asks_for_no_patience(
    faults: Faults, client: Http, headers: dict[str, str]
) -> None:
    faults.then(f.says("says 500", Response(500, headers, b"{}"), commits=False))

    assert type(outcome_of(lambda: read(client))) is Unavailable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1320"}, 1320),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Tue, 24 Nov 2026 11:38:30 GMT"}, 30),
        ({"Retry-After": "Tue, 24 Nov 2026 11:38:30 -0000"}, 30),
        ({"Retry-After": "Tue, 24 Nov 2020 11:38:30 GMT"}, 0),
        ({"X-RateLimit-Reset": "1795520340"}, 60),
        ({"X-RateLimit-Reset": "2026-11-24T11:39Z"}, 60),
        ({"X-RateLimit-Reset": "2026-11-24T11:39"}, 60),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1795520340"}, 7),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "1795520340"}, 60),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "Mon, 99 Foo 0000 99:99:99 GMT"}, None),
        ({"X-RateLimit-Reset": "later"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form_that_there_is(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, CLOCK()) == seconds


def test_nobody_who_is_known_is_denied(faults: Faults, client: Http) -> None:
    faults.then(f.says("says 401", Response(401, f.JSON, b'{"error":"User Not Authenticated"}'), commits=False))

    outcome = outcome_of(lambda: write(client))

    assert type(outcome) is Denied
    assert str(outcome) == 'does not know who asks (401): {"error":"User Not Authenticated"}. Check `auth`'


@pytest.mark.parametrize("status", [408, 499])
def test_a_call_that_was_cancelled_may_have_been_carried_out(faults: Faults, client: Http, status: int) -> None:
    faults.then(*[f.says("cancelled", Response(status, f.JSON, b"{}"), commits=True)] * 2)

    assert type(outcome_of(lambda: write(client))) is Ambiguous
    assert type(outcome_of(lambda: read(client))) is Unavailable


def test_what_is_refused_for_what_it_says_is_the_callers_to_judge(faults: Faults, client: Http) -> None:
    faults.then(f.says("says 403", Response(403, f.JSON, b'{"why": "so"}'), commits=False))

    answer = client.call("POST", "/things", json_body={})

    assert (answer.status, answer.json()) == (403, {"why": "so"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: Server, faults: Faults, client: Http, status: int) -> None:
    elsewhere = f.says("elsewhere", Response(status, {"Location": server.url("/login.do")}), commits=False)
    faults.then(elsewhere, elsewhere)

    assert str(outcome_of(lambda: write(client))) == f"sends elsewhere ({status}), to {server.url('/login.do')}"
    assert type(outcome_of(lambda: read(client))) is Unavailable
    assert [each.request.path for each in server.exchanges] == ["/things", "/things"]


def test_an_answer_that_drips_ends_at_the_deadline(server: Server, faults: Faults) -> None:
    faults.then(f.COMMITS_AND_DRIPS)
    client = the_client(server.url(), timeout_s=0.2)  # it would take a second and more, without a pause of 0.2 s

    outcome = outcome_of(lambda: write(client))

    assert type(outcome) is Ambiguous
    assert str(outcome) == "did not end its answer in time"


def _pours(wire: Wire, _do: object) -> None:
    wire.write(wire.head(Response(200, f.JSON), None))
    for _ in range(40):
        wire.write(b" " * 1_000_000)
    wire.close()


PACKED = gzip.compress(bytes(100_000_000), 1)


def _explodes(wire: Wire, _do: object) -> None:
    wire.send(Response(200, {**f.JSON, "Content-Encoding": "gzip"}, PACKED))


@pytest.mark.parametrize("run", [_pours, _explodes])
def test_an_answer_without_end_is_not_kept(faults: Faults, client: Http, run: Callable[[Wire, object], None]) -> None:
    faults.then(Fault("is huge", commits=False, run=run))
    tracemalloc.start()

    outcome = outcome_of(lambda: read(client))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert str(outcome) == "answered with more than 16 MiB"
    assert most < 3 * MAX_BODY + 8_000_000


def test_a_body_that_is_packed_is_unpacked(faults: Faults, client: Http) -> None:
    packed = Response(200, {**f.JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"a": 1}'))
    faults.then(f.says("packs", packed, commits=False))

    assert read(client) == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 1_000_000, b'{"a":'])
def test_what_is_no_json_tells_nothing(body: bytes) -> None:
    assert type(outcome_of(Answer(200, {}, body, reads=True).json)) is Unavailable
    assert type(outcome_of(Answer(200, {}, body, reads=False).json)) is Ambiguous


def test_a_login_page_is_told_in_one_short_line(faults: Faults, client: Http) -> None:
    page = b"<html>\r\n\x1b[31mLog in" + b"x" * 10_000
    faults.then(f.says("a page", Response(200, f.HTML, page), commits=False))

    text = str(outcome_of(lambda: read(client)))

    assert text.startswith("answered 200 with something that is no JSON (text/html;charset=UTF-8): [31mLog in")
    assert len(text) < 400


# What never left is sure not to have been done.


def test_a_port_that_nobody_listens_at_is_unavailable() -> None:
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    outcome = outcome_of(lambda: write(the_client(f"http://127.0.0.1:{port}")))

    assert type(outcome) is Unavailable
    assert "Connection refused" in str(outcome)


def test_a_name_that_is_none_is_unavailable() -> None:
    outcome = outcome_of(lambda: write(the_client("https://no-such-host.invalid")))

    assert type(outcome) is Unavailable
    assert str(outcome).startswith("can not be reached: ")


def test_a_proxy_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://user:tell-nobody@127.0.0.1:{port}")

    outcome = outcome_of(lambda: write(the_client("https://example.service-now.com")))

    assert type(outcome) is Unavailable
    assert str(outcome) == (
        f"the proxy 127.0.0.1:{port} (HTTPS_PROXY) can not be reached: Connection refused. "
        "NO_PROXY names hosts that need none"
    )
    assert "tell-nobody" not in str(outcome)


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_unavailable(
    server: Server, faults: Faults, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("https_proxy", server.url())
    faults.then(f.says("no", Response(status, {}, b""), commits=False))

    outcome = outcome_of(lambda: write(the_client("https://example.service-now.com")))

    assert type(outcome) is Unavailable
    assert str(status) in str(outcome)


def test_a_secret_that_can_not_stand_in_a_header_is_not_told(server: Server) -> None:
    for secret in ("tell-nobody\n", "tell-nobody\u20ac"):
        client = the_client(server.url(), authenticate=lambda secret=secret: {"x-key": secret})

        outcome = outcome_of(lambda client=client: write(client))  # type: ignore[misc]

        assert type(outcome) is Unavailable
        assert "a secret holds a line's end" in str(outcome)
        assert "tell-nobody" not in str(outcome)
        client.forget()
    assert server.exchanges == []


def test_what_is_no_json_is_refused_before_it_is_sent(server: Server, client: Http) -> None:
    outcome = outcome_of(lambda: client.call("POST", "/things", json_body={"a": float("nan")}))

    assert type(outcome) is Rejected
    assert server.exchanges == []


def test_a_netrc_file_does_not_say_who_asks(
    server: Server, client: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    write(client)

    assert "authorization" not in server.exchanges[0].request.headers


def test_each_call_is_paid_for(server: Server) -> None:
    budget = Budget(2, CLOCK)
    client = Http(server.url(), verify=True, timeout_s=5, authenticate=dict, clock=CLOCK, budget=budget)

    write(client)
    read(client)
    client.forget()

    assert budget.wait_s() == 60


# Certificates.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_ca(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="module")
def presented(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return issued(tmp_path_factory.mktemp("issued"), authority)


def over_tls(made: Path, verify: bool | str) -> object:
    """What comes of a write to a server with this certificate."""
    with serving(lambda _request: json_response(201, {"fine": True}), tls=tls_by(made)) as server:
        client = the_client(server.url(), verify=verify)
        try:
            return write(client)
        except Outcome as outcome:
            assert server.exchanges == []
            return outcome
        finally:
            client.forget()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_configured_ca_counts_whatever_the_environment_says(
    authority: Path, presented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert over_tls(presented, str(authority)) == {"fine": True}

    monkeypatch.setenv(variable, str(certificate(tmp_path)))

    assert over_tls(presented, str(authority)) == {"fine": True}
    assert over_tls(presented, verify=False) == {"fine": True}


def test_without_a_configured_ca_the_environments_counts(
    authority: Path, presented: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))

    assert over_tls(presented, verify=True) == {"fine": True}


def test_a_certificate_of_an_unknown_ca_is_unavailable(presented: Path, tmp_path: Path) -> None:
    for verify in (True, str(certificate(tmp_path))):
        outcome = over_tls(presented, verify)

        assert type(outcome) is Unavailable
        assert str(outcome).startswith("its certificate is not accepted: ")
        assert str(outcome).endswith(". Set `verify` to the file of the CA that signed it")


def test_an_expired_certificate_is_told_as_such(authority: Path, tmp_path: Path) -> None:
    made = issued(tmp_path, authority, days=("20200101", "20210101"))

    outcome = over_tls(made, str(authority))

    assert type(outcome) is Unavailable
    assert str(outcome) == "its certificate is not accepted: certificate has expired"


def test_a_certificate_for_another_name_is_told_as_such(authority: Path, tmp_path: Path) -> None:
    outcome = over_tls(issued(tmp_path, authority, names="DNS:elsewhere.example"), str(authority))

    assert type(outcome) is Unavailable
    assert "certificate is not valid for '127.0.0.1'" in str(outcome)


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_file_of_cas_that_is_none_is_unavailable(presented: Path, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    outcome = over_tls(presented, str(file))

    assert type(outcome) is Unavailable


def test_a_server_without_tls_where_tls_is_wanted_is_told_as_such(server: Server) -> None:
    client = the_client(server.url().replace("http:", "https:"), 1)

    outcome = outcome_of(lambda: write(client))
    client.forget()

    assert isinstance(outcome, Unavailable | Ambiguous)
    # A greeting in TLS that happens to hold no line break is one that this server waits for the end of.
    assert str(outcome).startswith("TLS failed: ") or str(outcome) == "did not answer in time"
