"""The dns prober, against a real server of the DNS."""

import asyncio
import socket
from typing import Any

import dns.message
import dns.rcode
import dns.resolver
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests.probers.asking import BLINK, a_probe, ask, ask_by, now, run
from tests.probers.nameserver import Zone, answers, nameserver, nothing, reply, truncated
from tests.probers.servers import refused_port
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers._dns_query import parse, query
from watchkeeper.probers.dns import DnsProber

NAME = "shop.example."


def ask_a_server_with(
    udp: Zone, options: dict[str, Any] | None = None, tcp: Zone | None = None, timeout: str = "5s"
) -> Sample:
    """The sample of a look-up at a server that answers so."""

    async def main() -> Sample:
        async with nameserver(udp, tcp) as server:
            return await ask("dns", {"name": "shop.example", "server": server.address, **(options or {})}, timeout)

    return run(main())


def says_that_it_is_down(sample: Sample, failure: str, rcode: str | None, *texts: str) -> None:
    assert sample.status is Status.DOWN
    assert (sample.facts["failure"], sample.facts.get("rcode")) == (failure, rcode)
    assert all(text in sample.message for text in texts), sample.message


def test_a_name_that_the_server_knows_is_up_and_is_told() -> None:
    sample = ask_a_server_with(answers(f"{NAME} A 10.0.0.1", f"{NAME} A 10.0.0.2"))
    assert (sample.status, sample.message) == (Status.UP, "shop.example A is 10.0.0.1, 10.0.0.2")
    assert sample.values["answers"] == 2
    assert 0 < sample.values["resolve_seconds"] <= sample.duration_s
    assert sample.facts == {"rcode": "NOERROR"}


RECORDS = [
    ("A", "10.0.0.1", "10.0.0.1"),
    ("AAAA", "2001:db8::a", "2001:0DB8:0::A"),
    ("CNAME", "web.example.", "WEB.example"),
    ("NS", "ns1.example.", "ns1.example."),
    ("MX", "10 mail.example.", "10 Mail.Example"),
    ("SRV", "0 5 5060 sip.example.", "0 5 5060 sip.example"),
    ("TXT", '"v=spf1 " "-all"', "v=spf1 -all"),
    ("CAA", '0 issue "ca.example"', '0 issue "ca.example"'),
    ("PTR", "host.example.", "host.example"),
    ("SOA", "ns. admin. 7 3600 600 86400 300", "ns admin 7 3600 600 86400 300"),
]


@pytest.mark.parametrize(("type_", "record", "expected"), RECORDS, ids=[type_ for type_, _, _ in RECORDS])
def test_answers_are_compared_by_what_they_mean(type_: str, record: str, expected: str) -> None:
    options = {"type": type_, "expect": {"answers": [expected]}}
    sample = ask_a_server_with(answers(f"{NAME} {type_} {record}"), options)
    assert sample.status is Status.UP, sample.message


def test_the_address_behind_another_name_is_found() -> None:
    chain = answers(f"{NAME} CNAME web.example.", "web.example. A 10.0.0.7")
    sample = ask_a_server_with(chain, {"expect": {"answers": ["10.0.0.7"]}})
    assert (sample.status, sample.values["answers"]) == (Status.UP, 1)


def test_an_answer_that_is_missing_is_down_and_says_which() -> None:
    sample = ask_a_server_with(answers(f"{NAME} A 10.0.0.1"), {"expect": {"answers": ["10.0.0.1", "10.0.0.9"]}})
    says_that_it_is_down(sample, "answer", "NOERROR", "shop.example has no A record 10.0.0.9: there is 10.0.0.1")
    assert sample.values["answers"] == 1


def test_a_name_without_records_of_the_type_is_down() -> None:
    sample = ask_a_server_with(answers(), {"type": "MX"})
    says_that_it_is_down(sample, "answer", "NOERROR", "shop.example has no MX records")
    assert sample.values["answers"] == 0


@pytest.mark.parametrize(
    ("rcode", "text"),
    [
        ("NXDOMAIN", "says that there is no name shop.example (NXDOMAIN)"),
        ("SERVFAIL", "could not look up shop.example (SERVFAIL)"),
        ("REFUSED", "refused to look up shop.example (REFUSED)"),
        ("NOTIMP", "did not look up shop.example (NOTIMP)"),
    ],
)
def test_a_name_that_is_not_looked_up_is_down_and_says_why(rcode: str, text: str) -> None:
    sample = ask_a_server_with(answers(rcode=dns.rcode.from_text(rcode)))
    says_that_it_is_down(sample, "resolve", rcode, "127.0.0.1:", text)


def test_a_server_that_is_silent_is_down_in_time() -> None:
    sample = ask_a_server_with(nothing, timeout=BLINK)
    says_that_it_is_down(sample, "timeout", None, "no answer from 127.0.0.1:", f"for shop.example within {BLINK}")
    assert 0.2 < sample.duration_s < 2


def test_a_server_that_is_not_there_is_down_at_once() -> None:
    port = refused_port()
    sample = run(ask("dns", {"name": "shop.example", "server": f"127.0.0.1:{port}"}))
    says_that_it_is_down(sample, "connect", None, f"connection refused by 127.0.0.1:{port}")


def test_an_answer_too_long_for_a_datagram_is_fetched_by_tcp() -> None:
    sample = ask_a_server_with(truncated, tcp=answers(*(f"{NAME} A 10.0.0.{number}" for number in range(200))))
    assert (sample.status, sample.values["answers"]) == (Status.UP, 200)
    assert len(sample.message) < 200


@pytest.mark.parametrize(
    ("tcp", "failure", "text"),
    [
        (None, "connect", "connection refused by"),
        (lambda _question: [], "protocol", "broke off"),
        (lambda _question: [b"\xff\xff"], "protocol", "broke off"),
    ],
    ids=["refuses", "hangs up", "garbage"],
)
def test_a_server_that_does_not_answer_by_tcp_when_it_must_is_down(tcp: Zone | None, failure: str, text: str) -> None:
    sample = ask_a_server_with(truncated, tcp=tcp)
    says_that_it_is_down(sample, failure, None, text, "(TCP)")


def test_answers_that_are_none_to_this_question_are_ignored() -> None:
    def lies_first(question: dns.message.Message) -> list[bytes]:
        other_id = reply(question, f"{NAME} A 6.6.6.6")
        other_id.id = question.id ^ 1
        other_name = reply(dns.message.make_query("evil.example", "A"), "evil.example. A 6.6.6.6")
        other_name.id = question.id
        return [
            b"",
            b"\xff",
            other_id.to_wire(),
            other_name.to_wire(),
            reply(question, f"{NAME} A 10.0.0.1").to_wire(),
        ]

    sample = ask_a_server_with(lies_first)
    assert (sample.status, sample.message) == (Status.UP, "shop.example A is 10.0.0.1")


def test_a_server_that_only_lies_is_as_good_as_silent() -> None:
    def lies(question: dns.message.Message) -> list[bytes]:
        message = reply(question, f"{NAME} A 6.6.6.6")
        message.id ^= 1
        return [message.to_wire()]

    says_that_it_is_down(ask_a_server_with(lies, timeout=BLINK), "timeout", None, "no answer from")


def test_a_question_that_got_lost_is_asked_again() -> None:
    heard: list[dns.message.Message] = []

    def answers_the_second(question: dns.message.Message) -> list[bytes]:
        heard.append(question)
        return [reply(question, f"{NAME} A 10.0.0.1").to_wire()] if len(heard) == 2 else []

    sample = ask_a_server_with(answers_the_second)
    assert sample.status is Status.UP
    assert heard[0].id == heard[1].id


def test_names_that_point_at_one_another_are_down() -> None:
    sample = ask_a_server_with(answers(f"{NAME} CNAME web.example.", f"web.example. CNAME {NAME}"))
    says_that_it_is_down(sample, "protocol", "NOERROR", "an answer without sense")


def test_a_server_may_be_given_by_its_name() -> None:
    async def main() -> Sample:
        async with nameserver(answers(f"{NAME} A 10.0.0.1")) as server:
            return await ask("dns", {"name": "shop.example", "server": f"localhost:{server.port}"})

    assert run(main()).status is Status.UP


def test_a_server_whose_name_cannot_be_resolved_is_down() -> None:
    sample = run(ask("dns", {"name": "shop.example", "server": "no-such-host.invalid"}))
    says_that_it_is_down(sample, "resolve", None, "cannot resolve the name of no-such-host.invalid:53")


def test_an_ip_address_is_looked_up_backwards() -> None:
    asked: list[str] = []

    def hosts(question: dns.message.Message) -> list[bytes]:
        asked.append(question.question[0].name.to_text())
        return [reply(question, f"{asked[-1]} PTR host.example.").to_wire()]

    assert ask_a_server_with(hosts, {"name": "192.0.2.1", "type": "PTR"}).status is Status.UP
    assert asked == ["1.2.0.192.in-addr.arpa."]


def test_it_works_on_the_loop_that_the_daemon_uses() -> None:
    async def main() -> Sample:
        async with nameserver(truncated, answers(f"{NAME} A 10.0.0.1")) as server:
            return await ask("dns", {"name": "shop.example", "server": server.address})

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()).status is Status.UP


# The system's own way


def test_without_a_server_addresses_are_asked_of_the_system_which_knows_the_hosts_file() -> None:
    sample = run(ask("dns", {"name": "localhost", "expect": {"answers": ["127.0.0.1"]}}))
    assert sample.status is Status.UP
    assert dict(sample.facts) == {}  # the system does not tell the code of an answer
    assert 0 < sample.values["resolve_seconds"] <= sample.duration_s


def test_a_name_that_the_system_does_not_know_is_down() -> None:
    sample = run(ask("dns", {"name": "no-such-host.invalid"}))
    says_that_it_is_down(sample, "resolve", None, "cannot resolve no-such-host.invalid: ")


def system_of(servers: list[str], port: int) -> dns.resolver.Resolver:
    system = dns.resolver.Resolver(configure=False)
    system.nameservers = list(servers)
    system.port = port
    return system


def test_without_a_server_other_types_are_asked_of_the_servers_of_the_system_until_one_knows() -> None:
    async def main() -> Sample:
        async with nameserver(answers(f"{NAME} MX 10 mail.example.")) as good:
            # Nobody listens at the first, on the same port.
            prober = DnsProber(now, lambda: system_of(["127.0.0.77", "127.0.0.1"], good.port))
            return await ask_by(prober, a_probe("dns", {"name": "shop.example", "type": "MX"}))

    sample = run(main())
    assert (sample.status, sample.message) == (Status.UP, "shop.example MX is 10 mail.example.")


def test_when_no_server_of_the_system_knows_the_one_that_answered_is_told_of() -> None:
    async def main() -> Sample:
        async with nameserver(answers(rcode=dns.rcode.SERVFAIL)) as bad:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
                silent.bind(("127.0.0.77", bad.port))
                prober = DnsProber(now, lambda: system_of(["127.0.0.1", "127.0.0.77"], bad.port))
                return await ask_by(prober, a_probe("dns", {"name": "shop.example", "type": "MX"}, BLINK))

    says_that_it_is_down(run(main()), "resolve", "SERVFAIL", "could not look up shop.example")


def test_a_machine_that_knows_no_server_cannot_tell() -> None:
    def broken() -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    sample = run(ask_by(DnsProber(now, broken), a_probe("dns", {"name": "shop.example", "type": "MX"})))
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    sample = run(ask_by(DnsProber(now, lambda: system_of([], 53)), a_probe("dns", {"name": "a.b", "type": "MX"})))
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})


@given(st.binary(max_size=600))
def test_no_datagram_whatever_it_holds_is_more_than_an_answer_or_none(datagram: bytes) -> None:
    question = query(dns.name.from_text("shop.example"), "A")
    assert parse(question, datagram) is None
    parse(question, question.id.to_bytes(2, "big") + b"\x81\x80\x00\x01\x00\x01" + datagram)
