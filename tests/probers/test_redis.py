"""The redis prober, against real servers and against some that only pass for one."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.peers.redis import Redis, redis_server
from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.servers import certificate, refused_port
from tests.probers.test_tls import a_server_that
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find
from watchkeeper.probers._redis_info import parse_info, values_of
from watchkeeper.probers._resp import LINE_LIMIT, NotResp, Refused, answer

PASSWORD = "correct horse"
UNTIL_S = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server that wants to know who asks."""
    users = ["--user", "watch", "on", f">{PASSWORD.replace(' ', '_')}", "+ping", "+info"]
    folder = tmp_path_factory.mktemp("redis")
    with redis_server(folder, "--requirepass", PASSWORD.replace(" ", "_"), *users) as server:
        yield server


def look(server: Redis, **options: Any) -> Sample:
    return run(ask("redis", {"address": server.address, **options}))


def until(sample: Callable[[], Sample], good: Callable[[Sample], bool]) -> Sample:
    latest = time.monotonic() + UNTIL_S
    while not good(found := sample()):
        assert time.monotonic() < latest, found
    return found


def test_a_server_that_answers_is_up_and_tells_of_itself(server: Redis) -> None:
    server.say("SELECT 3", "SET a 1", "SET b 2")
    sample = look(server, database=3)
    assert sample.status is Status.UP
    assert sample.message.startswith(f"{server.address} is a master, ")
    assert (sample.facts["role"], str(sample.facts["version"]).count(".")) == ("master", 2)
    assert sample.values["keys"] == 2
    assert 0 < sample.values["ping_seconds"] < sample.duration_s
    assert sample.values["used_memory_bytes"] > 100_000
    assert sample.values["clients"] >= 1
    assert not {"max_memory_bytes", "memory_used_percent", "length", "tls_seconds"} & set(sample.values)


def test_memory_is_told_in_percent_where_it_has_a_limit(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxmemory", "100mb") as server:
        values = look(server).values
    assert values["max_memory_bytes"] == 100 * 1024**2
    assert values["memory_used_percent"] == pytest.approx(100 * values["used_memory_bytes"] / (100 * 1024**2))


@pytest.mark.parametrize(
    ("fill", "length"),
    [
        ("SET k hello", 5),
        ("RPUSH k a b c", 3),
        ("SADD k a b", 2),
        ("ZADD k 1 a 2 b", 2),
        ("HSET k a 1 b 2 c 3", 3),
        ("XADD k * a 1", 1),
        ("DEL k", 0),
    ],
)
@pytest.mark.parametrize("database", [0, 5])
def test_the_length_of_a_key_of_any_type_is_measured(server: Redis, fill: str, length: int, database: int) -> None:
    server.say(f"SELECT {database}", "DEL k", fill)
    sample = look(server, key="k", database=database)
    assert (sample.status, sample.values["length"]) == (Status.UP, length)


def test_a_replica_says_so_and_the_master_knows_how_far_behind_it_is(server: Redis, tmp_path: Path) -> None:
    with redis_server(tmp_path, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        sample = until(lambda: look(replica), lambda sample: sample.status is Status.UP)
        assert (sample.facts["role"], sample.facts["master_link"]) == ("replica", "up")
        assert sample.values["replication_lag_seconds"] >= 0
        master = until(lambda: look(server), lambda sample: "replication_lag_bytes" in sample.values)
        assert master.values["replicas"] == 1
        assert master.values["replication_lag_seconds"] <= 10
        sample = look(replica, expect={"role": "master"})
        assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "answer")
        assert sample.message == f"{replica.address} is a replica, expected a master"


def test_a_replica_that_has_lost_its_master_is_down(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--replicaof", "127.0.0.1", str(refused_port())) as replica:
        sample = look(replica)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "answer")
    assert sample.facts["master_link"] == "down"
    assert sample.message.startswith(f"{replica.address} is a replica without a link to its master")


def test_a_password_lets_in_and_so_does_a_user(closed: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", PASSWORD.replace(" ", "_"))
    password = {"env": "REDIS_PASSWORD"}
    assert look(closed, password=password).status is Status.UP
    assert look(closed, username="watch", password=password).status is Status.UP
    sample = look(closed, username="watch", password=password, key="k")
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message.endswith("the user may not TYPE: ACL SETUSER … +type")


def test_without_or_with_a_wrong_password_watchkeeper_can_not_tell(
    closed: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = look(closed)
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message.endswith(" did not let watchkeeper in: it wants a password: set password")
    monkeypatch.setenv("REDIS_PASSWORD", "battery-staple")
    sample = look(closed, password={"env": "REDIS_PASSWORD"})
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message.endswith("WRONGPASS to AUTH: look at username and password")


def test_a_password_that_is_not_there_is_unknown(server: Redis, tmp_path: Path) -> None:
    sample = look(server, password={"file": str(tmp_path / "none")})
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert sample.message == f"the secret file {tmp_path}/none: No such file or directory"


def test_a_server_by_tls_is_asked_when_its_certificate_is_good(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    with redis_server(tmp_path, tls=made) as server:
        sample = look(server, tls=True, verify=str(made))
        assert (sample.status, sample.values["tls_seconds"] > 0) == (Status.UP, True)
        sample = look(server, tls=True)
        assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")
        assert "is not trusted: self-signed certificate" in sample.message
        sample = look(server)  # without TLS
        assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "protocol")


def test_tls_with_a_server_that_does_not_speak_it_is_down(server: Redis) -> None:
    sample = run(ask("redis", {"address": server.address, "tls": True}, BLINK))  # it waits for the end of a line
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert sample.message == f"no TLS with {server.address} within {BLINK}"
    sample = answers_with(b"-ERR Protocol error\r\n", tls=True)
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "tls"})
    sample = answers_with(b"", tls=True)
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "tls"})


def test_a_server_that_is_stopped_is_down_in_time(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        sample = run(ask("redis", {"address": server.address}, BLINK))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert sample.message == f"{server.address} did not answer PING within {BLINK}"
    assert sample.duration_s < 2


def test_a_refused_connection_is_down() -> None:
    address = f"127.0.0.1:{refused_port()}"
    sample = run(ask("redis", {"address": address}))
    assert (sample.status, sample.facts, sample.message) == (
        Status.DOWN,
        {"failure": "connect"},
        f"connection refused by {address}",
    )


def test_a_name_that_cannot_be_resolved_is_down() -> None:
    assert run(ask("redis", {"address": "no-such-host.invalid:1"})).facts == {"failure": "resolve"}


def answers_with(data: bytes, timeout: str = "5s", *, pause_s: float = 0, **options: Any) -> Sample:
    """The sample of a check of a server that says this, and then hangs up, or waits where `pause_s` is none."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        for part in [data] if not pause_s else [bytes((byte,)) for byte in data]:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        writer.write_eof()
        await reader.read()

    async def main() -> Sample:
        async with a_server_that(serve) as port:
            return await ask("redis", {"address": f"127.0.0.1:{port}", **options}, timeout)

    return run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"+PO",
        b"+PONG\r\n",
        b"+PONG\r\n$100\r\nrole",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+QONG\r\n",
        b"+PONG\n",
        b"*1\r\n$4\r\nPONG\r\n",
        b"+" + b"x" * 10_000,
        b"+PONG\r\n$99999999999\r\n",
        b"+PONG\r\n$-2\r\n",
        b"+PONG\r\n$4\r\nrole!!",
        b"+PONG\r\n:7\r\n",
        b"+PONG\r\n$5\r\nhello\r\n",
        "+PONG\r\n$٣\r\nabc\r\n".encode(),
    ],
)
def test_what_is_no_redis_is_down(data: bytes) -> None:
    sample = answers_with(data)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "protocol")


@pytest.mark.parametrize(
    "error", ["LOADING Redis is loading the dataset in memory", "BUSY a script runs", "ERR x\x1b"]
)
def test_a_server_that_answers_with_an_error_is_down_and_says_which(error: str) -> None:
    sample = answers_with(f"-{error}\r\n".encode())
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "answer")
    assert error.rstrip("\x1b") in sample.message
    assert "\x1b" not in sample.message


def test_a_server_that_drips_is_down_in_time() -> None:
    sample = answers_with(b"+PONG\r\n", BLINK, pause_s=0.1)
    assert (sample.status, sample.facts, sample.duration_s < 2) == (Status.DOWN, {"failure": "timeout"}, True)


def test_a_password_is_in_no_message_though_the_server_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    for error in (b"-ERR bad password hunter2\r\n", b"-hunter2\r\n", b"-WRONGPASS hunter2\r\n"):
        sample = answers_with(error, password={"env": "REDIS_PASSWORD"})
        assert (sample.status, "hunter2" in repr(sample)) == (Status.UNKNOWN, False)


def test_a_key_of_a_type_without_a_length_is_down() -> None:
    info = b"$11\r\nrole:master\r\n"
    sample = answers_with(b"+PONG\r\n" + info + b"+graphdata\r\n", key="k")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "answer")


def test_many_are_asked_at_the_same_time_on_the_loop_that_the_daemon_uses(server: Redis) -> None:
    async def main() -> list[Sample]:
        prober = find("redis").make(now)
        probe = a_probe("redis", {"address": f"localhost:{server.port}", "key": "k"})
        samples = await asyncio.gather(*(prober.run(probe) for _ in range(50)))
        await prober.close()
        return samples

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert {sample.status for sample in runner.run(main())} == {Status.UP}


@given(st.binary(max_size=200))
def test_whatever_comes_is_an_answer_an_error_or_nonsense(data: bytes) -> None:
    async def main() -> None:
        reader = asyncio.StreamReader(limit=LINE_LIMIT)
        reader.feed_data(data)
        reader.feed_eof()
        with suppress(NotResp, Refused, EOFError):
            assert isinstance(await answer(reader), str | int | None)

    run(main())


@given(st.text(max_size=400))
def test_whatever_a_server_tells_of_itself_can_be_read(text: str) -> None:
    for role in ("master", "slave"):
        info = parse_info(f"role:{role}\nslave0:{text}\nused_memory:{text}\ndb0:keys={text}\n{text}")
        assert all(value >= 0 for value in values_of(info, 0).values())


def test_a_user_without_a_password_is_an_error() -> None:
    with pytest.raises(ValidationError, match="a password is required"):
        a_probe("redis", {"address": "localhost:1", "username": "watch"})
