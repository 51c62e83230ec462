"""The http prober, redirects and secret headers."""

import asyncio
from pathlib import Path

import pytest

from tests.probers.asking import BLINK, ask, run
from tests.probers.asking_web import ask_a_server_that, says_that_it_is_down
from tests.probers.servers import (
    Request,
    by_path,
    redirects,
    says,
    sends_and_hangs,
    serving,
)
from watchkeeper.domain.probe import Sample, Status

# Redirects


def test_redirects_are_followed() -> None:
    steps = by_path({"/": redirects("/a"), "/a": redirects("/b", 307), "/b": says(b"there")})
    sample = ask_a_server_that(steps)
    assert (sample.status, sample.values["size_bytes"]) == (Status.UP, 5)


def test_redirects_are_an_answer_when_they_are_not_to_be_followed() -> None:
    options = {"follow_redirects": False, "expect": {"status": [302]}}
    assert ask_a_server_that(redirects("http://elsewhere.invalid/"), options).status is Status.UP


def test_redirects_without_end_are_down() -> None:
    says_that_it_is_down(ask_a_server_that(redirects("/")), "redirect", "redirects without end")


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://[zz]:80/",
        "http://",
        "//",
        "gopher://x",
    ],
)
def test_a_redirect_to_what_is_no_url_of_the_web_is_down(target: str) -> None:
    sample = ask_a_server_that(redirects(target))
    says_that_it_is_down(sample, "redirect", "redirects to something that is no http:// or https:// URL")


@pytest.mark.parametrize("target", ["/ä", "http://ä.invalid/", "/\x80\xff"])
def test_a_redirect_in_bytes_that_are_no_text_is_judged_like_any_other(target: str) -> None:
    assert ask_a_server_that(redirects(target, 302), timeout="1s").status is Status.DOWN


def test_a_redirect_to_a_server_that_hangs_says_who_hangs() -> None:
    async def main() -> tuple[Sample, int]:
        async with serving(sends_and_hangs()) as silent, serving(redirects(silent.url())) as first:
            return await ask("http", {"url": first.url()}, BLINK), silent.port

    sample, port = run(main())
    says_that_it_is_down(sample, "timeout", f"no answer from 127.0.0.1:{port} within")


# Secrets


def test_secret_headers_are_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    asked: list[Request] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        await says(status=500)(request, writer)

    options = {"headers": {"X-Token": {"env": "SHOP_TOKEN"}, "Accept": "text/html", "X-Empty": ""}}
    sample = ask_a_server_that(answer, options)
    headers = asked[0].headers
    assert (headers["x-token"], headers["accept"], headers["x-empty"]) == ("s3cr3t", "text/html", "")
    assert "s3cr3t" not in repr(sample)


def test_secret_headers_go_along_on_redirects_to_the_same_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")

    async def main() -> list[Request]:
        async with serving(by_path({"/": redirects("/in"), "/in": says()})) as server:
            await ask("http", {"url": server.url(), "headers": {"X-Token": {"env": "SHOP_TOKEN"}}})
            return server.requests

    assert [request.headers["x-token"] for request in run(main())] == ["s3cr3t", "s3cr3t"]


@pytest.mark.parametrize("header", ["X-Token", "Authorization", "Cookie"])
def test_secret_headers_are_not_sent_to_another_origin(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")

    async def main() -> tuple[Sample, list[Request], int]:
        async with serving(says()) as other, serving(redirects(other.url("/?q=private"))) as first:
            options = {"url": first.url(), "headers": {header: {"env": "SHOP_TOKEN"}}}
            return await ask("http", options), other.requests, other.port

    sample, requests, port = run(main())
    assert requests == []
    says_that_it_is_down(sample, "redirect", f"redirects to 127.0.0.1:{port}, where its secret headers are not sent")
    assert "private" not in sample.message


def test_a_secret_of_a_file_is_read_for_each_run(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with serving(says()) as server:
            options = {"url": server.url(), "headers": {"X-Token": {"file": str(tmp_path / "token")}}}
            for secret in ("one", "two"):
                (tmp_path / "token").write_text(secret + "\n")
                assert (await ask("http", options)).status is Status.UP
            return [request.headers["x-token"] for request in server.requests]

    assert run(main()) == ["one", "two"]


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "the environment variable NOT_SET_ANYWHERE is not set"),
        ({"file": "/no/such/file"}, "the secret file /no/such/file: No such file or directory"),
        ({"env": "TWO_LINES"}, "the secret for the header X-Token is more than one line"),
    ],
)
def test_a_secret_that_cannot_be_had_is_unknown(
    monkeypatch: pytest.MonkeyPatch, secret: dict[str, str], text: str
) -> None:
    monkeypatch.setenv("TWO_LINES", "a\r\nInjected: b")
    sample = ask_a_server_that(says(), {"headers": {"X-Token": secret}})
    assert (sample.status, sample.facts["failure"], sample.message) == (Status.UNKNOWN, "local", text)


def test_a_secret_in_bytes_that_are_no_text_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "\udce4\udcff")  # how Python holds the bytes E4 FF of an environment
    asked: list[Request] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        await says()(request, writer)

    assert ask_a_server_that(answer, {"headers": {"X-Token": {"env": "SHOP_TOKEN"}}}).status is Status.UP
    assert asked[0].headers["x-token"] == "\xe4\xff"
