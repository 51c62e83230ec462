"""The tls prober, against real handshakes."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from tests.probers.asking import BLINK, NOW_MS, a_probe, ask, ask_by, now, run
from tests.probers.authority import a_ca, issued
from tests.probers.servers import certificate, refused_port, says, serving, tls_by
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_ca(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def good(ca: Path) -> Path:
    """A good certificate, for the address and the name of this machine."""
    folder = ca.parents[1] / "good"
    folder.mkdir()
    return issued(folder, ca)


def ask_tls(made: Path | ssl.SSLContext, options: dict[str, Any], host: str = "127.0.0.1") -> Sample:
    """The sample of a check of a server that shows this certificate."""

    async def main() -> Sample:
        async with serving(says(), tls_by(made) if isinstance(made, Path) else made) as server:
            return await ask("tls", {"address": f"{host}:{server.port}", **options})

    return run(main())


def is_down(sample: Sample, *texts: str) -> None:
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")
    assert all(text in sample.message for text in texts), sample.message


def test_a_good_certificate_is_up_and_tells_all_about_itself(ca: Path, good: Path) -> None:
    sample = ask_tls(good, {"verify": str(ca)}, host="localhost")
    assert sample.status is Status.UP
    assert sample.message.startswith("the certificate of localhost:")
    assert sample.message.endswith(" expires in 27441 days (2099-01-01)")
    assert sample.facts == {
        "subject": "C=DE, O=Example, CN=shop.example",
        "issuer": "CN=test",
        "serial": "0A1B2C",
        "not_after": datetime(2099, 1, 1, tzinfo=UTC),
        "version": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
    }
    assert sample.values["days_left"] == (datetime(2099, 1, 1, tzinfo=UTC) - NOW).total_seconds() / 86_400
    times = [sample.values[f"{name}_seconds"] for name in ("resolve", "connect", "tls")]
    assert min(times) > 0
    assert sum(times) < sample.duration_s


def test_an_address_has_no_name_to_resolve(ca: Path, good: Path) -> None:
    assert set(ask_tls(good, {"verify": str(ca)}).values) == {"connect_seconds", "tls_seconds", "days_left"}


def test_of_a_chain_the_certificate_that_expires_first_counts(tmp_path: Path) -> None:
    ca = a_ca(tmp_path / "ca", days=("20200101", "20500101"))
    sample = ask_tls(issued(tmp_path, ca), {"verify": str(ca)})
    assert sample.status is Status.UP
    assert sample.values["days_left"] == (datetime(2050, 1, 1, tzinfo=UTC) - NOW).total_seconds() / 86_400
    assert sample.facts["not_after"] == datetime(2099, 1, 1, tzinfo=UTC)
    assert sample.message.startswith("in the chain of 127.0.0.1:")
    assert sample.message.endswith(" the certificate of CN=test expires in 9544 days (2050-01-01)")


def test_a_certificate_that_has_expired_is_down_and_its_days_are_negative(tmp_path: Path, ca: Path) -> None:
    sample = ask_tls(issued(tmp_path, ca, days=("20200101", "20231110")), {"verify": str(ca)})
    is_down(sample, "expired 4 days ago (2023-11-10)")
    assert sample.values["days_left"] == (datetime(2023, 11, 10, tzinfo=UTC) - NOW).total_seconds() / 86_400
    assert sample.facts["subject"] == "C=DE, O=Example, CN=shop.example"
    assert "tls_seconds" not in sample.values


def test_a_chain_whose_issuer_has_expired_is_down(tmp_path: Path) -> None:
    ca = a_ca(tmp_path / "ca", days=("20200101", "20210101"))
    is_down(ask_tls(issued(tmp_path, ca), {"verify": str(ca)}), "an issuer's certificate", "has expired")


def test_a_certificate_that_is_not_valid_yet_is_down(tmp_path: Path, ca: Path) -> None:
    sample = ask_tls(issued(tmp_path, ca, days=("20980101", "20990101")), {"verify": str(ca)})
    is_down(sample, "is not valid before 2098-01-01 00:00Z")
    assert sample.values["days_left"] > 0


def test_a_certificate_by_nobody_that_is_known_is_down(good: Path) -> None:
    sample = ask_tls(good, {})
    is_down(sample, "is not trusted: self-signed certificate in certificate chain, issued by CN=test")
    assert sample.facts["serial"] == "0A1B2C"


def test_a_certificate_that_signed_itself_is_down_unless_it_is_named(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    is_down(ask_tls(made, {}), "is not trusted: self-signed certificate, issued by CN=test")
    assert ask_tls(made, {"verify": str(made)}).status is Status.UP


def test_a_certificate_of_no_ca_is_trusted_when_it_is_named_itself(tmp_path: Path, good: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text((good.parent / "cert.pem").read_text())
    assert ask_tls(good, {"verify": str(own)}).status is Status.UP


@pytest.mark.parametrize("options", [{"server_name": "other.example"}, {"server_name": "10.1.2.3"}])
def test_a_certificate_for_another_name_is_down(ca: Path, good: Path, options: dict[str, str]) -> None:
    sample = ask_tls(good, {"verify": str(ca), **options})
    name = options["server_name"]
    is_down(sample, f"the certificate of {name} at 127.0.0.1:", "is for another name: its subject is C=DE, O=Example")


def test_the_name_that_is_asked_for_can_be_another_than_the_address(tmp_path: Path, ca: Path) -> None:
    made, asked = issued(tmp_path, ca, names="DNS:shop.example"), []
    context = tls_by(made)
    context.sni_callback = lambda _, name, __: asked.append(name)
    sample = ask_tls(context, {"verify": str(ca), "server_name": "shop.example"})
    assert (sample.status, asked) == (Status.UP, ["shop.example"])
    assert sample.message.startswith("the certificate of shop.example at 127.0.0.1:")


def test_a_dot_at_the_end_of_a_name_is_no_part_of_it(tmp_path: Path, ca: Path) -> None:
    made = issued(tmp_path, ca, names="DNS:shop.example")
    assert ask_tls(made, {"verify": str(ca), "server_name": "shop.example."}).status is Status.UP


def test_a_certificate_that_is_not_verified_is_up_whatever_it_is(tmp_path: Path, ca: Path) -> None:
    made = issued(tmp_path, ca, names="DNS:other.example", days=("20200101", "20231110"))
    sample = ask_tls(made, {"verify": False})
    assert sample.status is Status.UP
    assert sample.message.endswith("expired 4 days ago (2023-11-10), and is not verified")
    assert sample.values["days_left"] < 0


def test_a_server_that_speaks_only_old_versions_is_down(ca: Path, good: Path) -> None:
    context = tls_by(good)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask_tls(context, {"verify": str(ca)}).facts["version"] == "TLSv1.2"
    is_down(ask_tls(context, {"verify": str(ca), "min_version": "TLSv1.3"}))


def answers_with(data: bytes, timeout: str = "5s") -> Sample:
    """The sample of a check of a server that says this to whoever connects, and then waits."""

    async def main() -> Sample:
        async with serving(says(), greeting=data) as server:
            return await ask("tls", {"address": f"127.0.0.1:{server.port}"}, timeout)

    return run(main())


def test_a_server_that_does_not_speak_tls_is_down() -> None:
    is_down(answers_with(b"220 shop.example ESMTP\r\n"), "it answered something that is not TLS")


def test_a_server_that_speaks_an_older_version_says_so() -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal: protocol_version
    is_down(answers_with(alert), " speaks no TLSv1.2 or newer")


def test_a_server_that_refuses_the_handshake_is_down() -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal: handshake_failure
    is_down(answers_with(alert), "no TLS with 127.0.0.1:", "handshake failure")


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server_that(serve: Serve) -> AsyncIterator[int]:
    """The port of a server that does this with every connection, and then hangs up."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def test_a_server_that_hangs_up_is_down() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write_eof()
        await reader.read()

    async def main() -> Sample:
        async with a_server_that(hang_up) as port:
            return await ask("tls", {"address": f"127.0.0.1:{port}"})

    is_down(run(main()), "no TLS with 127.0.0.1:", "it closed the connection during the handshake")


def test_a_server_that_drips_is_down_in_time() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"\x16\x03\x03\x00\x7a\x02" + bytes(60):
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.02)

    async def main() -> Sample:
        async with a_server_that(drip) as port:
            return await ask("tls", {"address": f"127.0.0.1:{port}"}, BLINK)

    sample = run(main())
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert sample.message.endswith(f"within {BLINK}")
    assert 0.2 < sample.duration_s < 2


def test_a_handshake_that_does_not_end_is_given_up() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        part = b"\x16\x03\x03\x3f\xff" + b"\x02\xff\xff\xff" + bytes(0x3FFF - 4)  # of a message of 16 MiB
        while True:
            writer.write(part)
            await writer.drain()

    async def main() -> Sample:
        async with a_server_that(babble) as port:
            return await ask("tls", {"address": f"127.0.0.1:{port}"})

    is_down(run(main()), "no TLS with 127.0.0.1:", "excessive message size")


def test_a_certificate_that_is_bad_is_told_though_it_can_not_be_read_again_in_time(good: Path) -> None:
    """The server shows its certificate once, and is silent to whoever comes again."""
    context, came = tls_by(good), []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        if len(came) == 1:
            await writer.start_tls(context)
        await asyncio.get_running_loop().create_future()

    async def main() -> Sample:
        async with a_server_that(serve) as port:
            return await ask("tls", {"address": f"127.0.0.1:{port}"}, "1500ms")

    sample = run(main())
    is_down(sample, "is not trusted: self-signed certificate in certificate chain")
    assert len(came) == 2
    assert "days_left" not in sample.values


def test_a_refused_connection_is_down_and_says_by_whom() -> None:
    address = f"127.0.0.1:{refused_port()}"
    sample = run(ask("tls", {"address": address}))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "connect"})
    assert sample.message == f"connection refused by {address}"


def test_a_name_that_cannot_be_resolved_is_down() -> None:
    sample = run(ask("tls", {"address": "no-such-host.invalid:443"}))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "resolve"})


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_without_cas_watchkeeper_can_not_tell(tmp_path: Path, good: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    sample = ask_tls(good, {"verify": str(file)})
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert f"cannot read the CA file {file}: " in sample.message


def test_cas_that_do_not_come_leave_it_unknown_in_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")  # nobody ever writes
    try:
        sample = run(ask("tls", {"address": "127.0.0.1:1", "verify": str(tmp_path / "ca.pem")}, BLINK))
    finally:
        os.close(os.open(tmp_path / "ca.pem", os.O_WRONLY | os.O_NONBLOCK))  # the thread ends
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert sample.message.endswith(f"could not be read within {BLINK}")


def test_a_file_of_cas_that_is_exchanged_is_read_again(tmp_path: Path, ca: Path, good: Path) -> None:
    named = tmp_path / "named.pem"
    named.write_text(a_ca(tmp_path / "other").read_text())

    async def main() -> list[Status]:
        async with serving(says(), tls_by(good)) as server:
            prober = find("tls").make(now)
            probe = a_probe("tls", {"address": f"127.0.0.1:{server.port}", "verify": str(named)})
            before = [(await prober.run(probe)).status for _ in range(2)]
            named.write_text(ca.read_text())
            after = await ask_by(prober, probe)
            return [*before, after.status]

    assert run(main()) == [Status.DOWN, Status.DOWN, Status.UP]


def test_many_are_checked_at_the_same_time_on_the_loop_that_the_daemon_uses(ca: Path, good: Path) -> None:
    async def main() -> list[Sample]:
        async with serving(says(), tls_by(good)) as server:
            prober = find("tls").make(now)
            probe = a_probe("tls", {"address": f"localhost:{server.port}", "verify": str(ca)})
            samples = await asyncio.gather(*(prober.run(probe) for _ in range(50)))
            await prober.close()
            return samples

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert {sample.status for sample in runner.run(main())} == {Status.UP}


@pytest.mark.parametrize("name", ["", ".", ".example", "a..b", "shop example", "shop\n", "x" * 64, "a." * 130])
def test_a_name_that_nobody_can_have_is_an_error(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a host name"):
        a_probe("tls", {"address": "shop.example:443", "server_name": name})
