"""What is said of certificates and proxies: which ones, by whose word, and never a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.itsm.test_http import outcome_of, the_client
from tests.probers.authority import a_ca, issued
from tests.probers.servers import tls_by
from tests.simulators.http import Response, Server, json_response, serving
from watchkeeper.itsm.base import Unavailable

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
ELSEWHERE = "https://example.service-now.com"


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose certificate nobody trusts."""
    authority = a_ca(tmp_path_factory.mktemp("authority") / "ca")
    presented = issued(tmp_path_factory.mktemp("issued"), authority)
    with serving(lambda _request: json_response(200, {}), tls=tls_by(presented)) as server:
        yield server


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def told(url: str, *, verify: bool | str = True) -> str:
    """What is said of a call, which surely was not made."""
    client = the_client(url, verify=verify)
    outcome = outcome_of(lambda: client.call("POST", "/", json_body={}))
    client.forget()
    assert type(outcome) is Unavailable
    return str(outcome)


def test_whose_cas_were_asked_is_told(over_tls: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = a_ca(tmp_path / "other")

    assert ", by the CAs that come with Python's certifi, which are not the system's. Set `verify`" in told(
        over_tls.url()
    )
    assert f", by the CAs of {other}, which `verify` names. Set" in told(over_tls.url(), verify=str(other))
    for name in reversed(VARIABLES):
        monkeypatch.setenv(name, str(other))
        assert f", by the CAs of {other}, which {name} names. Set" in told(over_tls.url())


@pytest.mark.parametrize(("content", "why"), [(None, "there is no such file"), ("x", "there is no certificate in")])
def test_a_file_of_cas_that_is_none_is_named_with_who_names_it(
    over_tls: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, why: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    assert told(over_tls.url(), verify=str(file)).startswith(
        f"the CAs of {file}, which `verify` names, can not be read: {why}"
    )
    for name in reversed(VARIABLES):
        monkeypatch.setenv(name, str(file))
        assert told(over_tls.url()).startswith(f"the CAs of {file}, which {name} names, can not be read: {why}")


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        (
            "http://user:tell-nobody@proxy.invalid:3128",
            "the proxy proxy.invalid:3128 (HTTPS_PROXY) can not be reached: ",
        ),
        ("proxy.invalid:3128", "the proxy proxy.invalid:3128 (HTTPS_PROXY) can not be reached: there is no host"),
        ("http://user:tell-nobody/3@proxy.invalid", "can not be reached: HTTPS_PROXY names no HTTP proxy"),
        ("http://user:tell-nobody@:tell-nobody", "can not be reached: HTTPS_PROXY names no HTTP proxy"),
        ("socks5://user:tell-nobody@127.0.0.1:1", "can not be reached: HTTPS_PROXY names no HTTP proxy"),
    ],
)
def test_a_proxy_that_is_none_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, says: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    text = told(ELSEWHERE)

    assert text.startswith(says)
    assert "tell-nobody" not in text


def test_a_proxy_that_wants_a_password_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _request: Response(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())

        assert told(ELSEWHERE) == (
            f"the proxy 127.0.0.1:{proxy.port} (HTTPS_PROXY) wants to know who asks (407): "
            "put user and password into HTTPS_PROXY"
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_is_on_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """It may be spoken to without TLS: a proxy would read the password."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")
    with serving(lambda _request: json_response(200, {"here": True})) as server:
        client = the_client(server.url().replace("127.0.0.1", host))

        assert client.call("GET", "/").json() == {"here": True}
        client.forget()


def test_a_url_that_names_no_host_is_told_without_a_proxy() -> None:
    assert told("https://.example.com") == "can not be reached: the URL names no host that there can be"
