"""The http prober, against real servers."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.asking_web import ask_a_server_that, says_that_it_is_down
from tests.probers.servers import (
    Answer,
    Request,
    deaf_port,
    drips,
    refused_port,
    says,
    sends,
    sends_and_hangs,
    sends_and_resets,
    sends_without_end,
    serving,
)
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

HEAD = b"HTTP/1.1 200 OK\r\n"


# What a good answer is


def test_a_good_answer_is_up_and_tells_its_times() -> None:
    sample = ask_a_server_that(says(b"hello"))
    assert sample.status is Status.UP
    assert sample.message.startswith("answered 200 in ")
    assert sample.values["status_code"] == 200
    assert sample.values["size_bytes"] == 5
    assert 0 < sample.values["connect_seconds"] <= sample.values["first_byte_seconds"] <= sample.duration_s
    assert "resolve_seconds" not in sample.values  # 127.0.0.1 is no name
    assert dict(sample.facts) == {}


def test_a_name_is_resolved_and_the_time_of_it_is_told() -> None:
    async def main() -> Sample:
        async with serving(says()) as server:
            return await ask("http", {"url": server.url(host="localhost")})

    sample = run(main())
    assert sample.status is Status.UP
    assert 0 < sample.values["resolve_seconds"] < sample.duration_s


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_server_is_asked_by_the_method_that_is_set(method: str) -> None:
    asked: list[Request] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        await says(b"" if method == "HEAD" else b"fine")(request, writer)

    assert ask_a_server_that(answer, {"method": method}).status is Status.UP
    assert [request.method for request in asked] == [method]


def test_a_status_that_is_not_expected_is_down_and_says_which() -> None:
    sample = ask_a_server_that(says(status=503))
    says_that_it_is_down(sample, "status", "answered 503, expected 200 to 299")
    assert sample.values["status_code"] == 503


def test_a_status_that_is_expected_is_up_whatever_it_is() -> None:
    assert ask_a_server_that(says(status=404), {"expect": {"status": [401, 404]}}).status is Status.UP
    sample = ask_a_server_that(says(), {"expect": {"status": [401, 404]}})
    says_that_it_is_down(sample, "status", "answered 200, expected 401, 404")


def test_a_body_must_hold_the_text_that_is_expected() -> None:
    expect = {"expect": {"body": {"contains": "naïve"}}}
    latin = says("a naïve page".encode("latin-1"), headers={"Content-Type": 'text/html; charset="ISO-8859-1"'})
    assert ask_a_server_that(says("a naïve page".encode()), expect).status is Status.UP
    assert ask_a_server_that(latin, expect).status is Status.UP
    says_that_it_is_down(ask_a_server_that(says(b"other"), expect), "body", 'does not contain "naïve"')


def test_a_json_body_must_hold_what_is_expected_and_may_hold_more() -> None:
    expect = {"expect": {"json": {"status": "ok", "db": {"up": True}}}}
    good = b'{"status": "ok", "db": {"up": true, "lag": 3}, "more": []}'
    assert ask_a_server_that(says(good), expect).status is Status.UP
    wrong = ask_a_server_that(says(b'{"status": "ok", "db": {"up": false}}'), expect)
    says_that_it_is_down(wrong, "body", "db.up is false, expected true")
    says_that_it_is_down(ask_a_server_that(says(b"<html>"), expect), "body", "the body is not JSON")


def test_an_answer_that_is_good_but_slow_is_down() -> None:
    sample = ask_a_server_that(
        drips(HEAD + b"Content-Length: 9\r\n\r\n", b"slow food", 0.002), {"expect": {"within": "10ms"}}
    )
    says_that_it_is_down(sample, "slow", "expected within 10ms")
    assert sample.values["status_code"] == 200


def test_a_body_over_the_largest_size_is_down_when_something_is_expected_of_it() -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    endless = sends_without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk)
    options = {"expect": {"body": {"contains": "needle"}}, "max_size": "128KiB"}
    says_that_it_is_down(ask_a_server_that(endless, options), "body", "a body of over 128.0KiB (max_size)")
    huge = says(b"x", length=10**12)
    says_that_it_is_down(ask_a_server_that(huge, options), "body", "a body of over 128.0KiB (max_size)")


def test_a_large_body_of_which_nothing_is_expected_is_read_and_counted() -> None:
    sample = ask_a_server_that(says(b"x" * 3_000_000))
    assert sample.status is Status.UP
    assert sample.values["size_bytes"] == 3_000_000


def test_content_types_in_bytes_that_are_no_text_do_not_matter() -> None:
    answer = says(b"fine", headers={"Content-Type": "text/ä; charset=ü"})
    assert ask_a_server_that(answer, {"expect": {"body": {"contains": "fine"}}}).status is Status.UP


# What servers do wrong


def test_a_refused_connection_is_down_and_says_by_whom() -> None:
    port = refused_port()
    sample = run(ask("http", {"url": f"http://127.0.0.1:{port}/secret-path"}))
    says_that_it_is_down(sample, "connect", f"connection refused by 127.0.0.1:{port}")
    assert "secret-path" not in sample.message


def test_a_name_that_cannot_be_resolved_is_down() -> None:
    sample = run(ask("http", {"url": "http://no-such-host.invalid/"}))
    says_that_it_is_down(sample, "resolve", "cannot resolve the name of no-such-host.invalid:80")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (sends(b""), "closed the connection without an answer"),
        (sends_and_resets(), "broke the connection"),
        (sends_and_resets(HEAD), "broke the connection"),
        (says(b"half", length=8), "closed the connection before the end of its answer"),
        (sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"), "closed the connection before the end"),
        (sends(b"SSH-2.0-OpenSSH_9.9\r\n"), "answered something that is not HTTP"),
        (sends(b"\x00\xff\x00\xff" * 100), "answered something that is not HTTP"),
        (sends_without_end(HEAD, b"X-More: " + b"x" * 1000 + b"\r\n"), "answered with headers that do not end"),
    ],
    ids=["nothing", "reset", "half a head", "half a body", "half a chunk", "ssh", "garbage", "endless headers"],
)
def test_an_answer_that_breaks_the_protocol_is_down(answer: Answer, text: str) -> None:
    says_that_it_is_down(ask_a_server_that(answer), "protocol", "127.0.0.1:", text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (sends_and_hangs(), "no answer from 127.0.0.1:"),
        (sends_and_hangs(HEAD + b"Content-Length: 9\r\n\r\nabc"), "the answer of 127.0.0.1:"),
        (drips(HEAD + b"Content-Length: 900\r\n\r\n", b"x" * 900, 0.02), "the answer of 127.0.0.1:"),
    ],
    ids=["silent", "half", "drip"],
)
def test_an_answer_that_does_not_come_in_time_is_down_and_says_what_was_missing(answer: Answer, text: str) -> None:
    sample = ask_a_server_that(answer, timeout=BLINK)
    says_that_it_is_down(sample, "timeout", text, f"within {BLINK}")
    assert 0.2 < sample.duration_s < 2


def test_a_port_that_does_not_accept_is_down_in_time() -> None:
    async def main() -> Sample:
        async with deaf_port() as port:
            return await ask("http", {"url": f"http://127.0.0.1:{port}"}, BLINK)

    says_that_it_is_down(run(main()), "timeout", "no connection to 127.0.0.1:")


def test_a_server_that_does_not_begin_tls_is_down_in_time() -> None:
    async def main() -> Sample:
        async with serving(sends_and_hangs()) as server:
            return await ask("http", {"url": f"https://127.0.0.1:{server.port}"}, BLINK)

    says_that_it_is_down(run(main()), "timeout", "no TLS with 127.0.0.1:")


# Connections


def test_each_run_has_a_connection_of_its_own_unless_told_otherwise() -> None:
    async def connections(keep_alive: bool) -> int:
        async with serving(says(), keep=True) as server:
            prober = find("http").make(now)
            probe = a_probe("http", {"url": server.url(), "keep_alive": keep_alive})
            samples = [await prober.run(probe) for _ in range(3)]
            assert [sample.status for sample in samples] == [Status.UP] * 3
            assert ("connect_seconds" in samples[-1].values) is not keep_alive
            await prober.close()
            return server.connections

    assert run(connections(keep_alive=False)) == 3
    assert run(connections(keep_alive=True)) == 1


def test_a_connection_kept_alive_whose_server_falls_silent_is_down_and_says_so() -> None:
    asked: list[Request] = []

    async def answers_once(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        await (says() if len(asked) == 1 else sends_and_hangs())(request, writer)

    async def main() -> Sample:
        async with serving(answers_once, keep=True) as server:
            prober = find("http").make(now)
            probe = a_probe("http", {"url": server.url(), "keep_alive": True}, BLINK)
            assert (await prober.run(probe)).status is Status.UP
            sample = await prober.run(probe)
            await prober.close()
            return sample

    says_that_it_is_down(run(main()), "timeout", "no answer from 127.0.0.1:")


def test_many_checks_run_at_the_same_time() -> None:
    async def main() -> list[Sample]:
        async with serving(says()) as server:
            prober = find("http").make(now)
            probe = a_probe("http", {"url": server.url()})
            samples = await asyncio.gather(*(prober.run(probe) for _ in range(100)))
            await prober.close()
            return samples

    assert {sample.status for sample in run(main())} == {Status.UP}


def test_a_check_that_is_cancelled_leaves_the_others_alone() -> None:
    async def main() -> Sample:
        async with serving(sends_and_hangs()) as silent, serving(says()) as good:
            prober = find("http").make(now)
            hanging = asyncio.create_task(prober.run(a_probe("http", {"url": silent.url()})))
            await prober.run(a_probe("http", {"url": good.url()}))
            hanging.cancel()
            await asyncio.wait([hanging])
            assert hanging.cancelled()
            sample = await prober.run(a_probe("http", {"url": good.url()}))
            await prober.close()
            return sample

    assert run(main()).status is Status.UP


# Options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "ftp://example.com"}, "begins with http:// or https://"),
        ({"url": "http://user:pw@example.com"}, "a secret does not stand in the file"),
        ({"url": "http://example.com/a b"}, "no spaces"),
        ({"headers": {"Authorization": "Bearer x"}}, "a secret does not stand in the file"),
        ({"headers": {"X: y": "z"}}, "is not a header name"),
        ({"headers": {"X-A": "a\nb"}}, "a header's value is one line"),
        ({"headers": {"X-A": "\ud800"}}, "value is text"),
        ({"method": "HEAD", "expect": {"body": {"contains": "x"}}}, "has no body"),
        ({"expect": {"status": []}}, "at least 1 item"),
        ({"expect": {"status": [99]}}, "greater than or equal to 100"),
        ({"expect": {"json": {}}}, "at least 1 item"),
        ({"max_size": "0B"}, "greater than 0"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("http", {"url": "http://example.com", **options})


@pytest.mark.parametrize(
    ("url", "sent"),
    [("/äpfel?q=ü", "/%C3%A4pfel?q=%C3%BC"), ("/a%20b", "/a%20b"), ("/ä%20b#part", "/%C3%A4%20b"), ("", "/")],
)
def test_urls_are_sent_as_the_wire_has_them(url: str, sent: str) -> None:
    async def main() -> str:
        async with serving(says()) as server:
            assert (await ask("http", {"url": server.url(url)})).status is Status.UP
            return server.requests[0].target

    assert run(main()) == sent


def test_an_ipv6_address_stays_in_brackets_beside_letters_that_are_not_ascii() -> None:
    sample = run(ask("http", {"url": f"http://[::1]:{refused_port()}/ä"}))
    says_that_it_is_down(sample, "connect", "connection refused by [::1]:")
