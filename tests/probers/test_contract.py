"""What holds for every prober type, whatever it asks."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from pydantic import ValidationError

from tests.peers.redis import redis_server
from tests.peers.systemd import systemctl_that_says
from tests.probers.asking import BLINK, NOW_MS, a_probe, ask, now, run
from tests.probers.nameserver import answers, nameserver, nothing
from tests.probers.servers import certificate, deaf_port, refused_port, says, sends_and_hangs, serving, tls_by
from watchkeeper.domain.probe import FactType, Sample, Status
from watchkeeper.probers import find, names
from watchkeeper.probers.base import Failure, ProberKind
from watchkeeper.schema.base import Model

Options = dict[str, Any]
Place = Callable[[], AbstractAsyncContextManager[Options]]
"""Something to look at, and the options to look at it with."""


def nowhere(options: Options) -> Place:
    """A place that needs no server."""

    @asynccontextmanager
    async def place() -> AsyncIterator[Options]:
        yield options

    return place


@asynccontextmanager
async def a_good_site() -> AsyncIterator[Options]:
    async with serving(says()) as server:
        yield {"url": server.url(host="localhost"), "expect": {"body": {"contains": "fine"}}}


@asynccontextmanager
async def a_silent_site() -> AsyncIterator[Options]:
    async with serving(sends_and_hangs()) as server:
        yield {"url": server.url()}


@asynccontextmanager
async def a_good_port() -> AsyncIterator[Options]:
    async with serving(says()) as server:
        yield {"address": f"localhost:{server.port}"}


@asynccontextmanager
async def a_deaf_port() -> AsyncIterator[Options]:
    async with deaf_port() as port:
        yield {"address": f"127.0.0.1:{port}"}


@asynccontextmanager
async def a_good_certificate() -> AsyncIterator[Options]:
    with TemporaryDirectory() as folder:
        made = certificate(Path(folder))
        async with serving(says(), tls_by(made)) as server:
            yield {"address": f"localhost:{server.port}", "verify": str(made)}


@asynccontextmanager
async def an_unknown_certificate() -> AsyncIterator[Options]:
    async with a_good_certificate() as options:
        yield {"address": options["address"]}


@asynccontextmanager
async def a_silent_listener() -> AsyncIterator[Options]:
    async with serving(sends_and_hangs()) as server:
        yield {"address": f"127.0.0.1:{server.port}"}


@asynccontextmanager
async def a_good_watchkeeper() -> AsyncIterator[Options]:
    async with serving(says(b'{"version": "1.2.3", "not_ready": [], "uptime_seconds": 1.5}')) as server:
        yield {"url": server.url(host="localhost")}


@asynccontextmanager
async def a_good_page_of_metrics() -> AsyncIterator[Options]:
    async with serving(says(b"# TYPE depth gauge\ndepth 3\n")) as server:
        yield {"url": server.url(host="localhost"), "values": {"depth": {"metric": "depth"}}}


@asynccontextmanager
async def a_silent_page_of_metrics() -> AsyncIterator[Options]:
    async with a_silent_site() as options:
        yield {**options, "values": {"depth": {"metric": "depth"}}}


@asynccontextmanager
async def a_good_heartbeat() -> AsyncIterator[Options]:
    told = dict.fromkeys(("started_ms", "failed_ms", "exit_code", "duration_ms"))
    told |= {"since_ms": NOW_MS, "succeeded_ms": NOW_MS, "output": "done"}
    with TemporaryDirectory() as folder:
        (secret := Path(folder) / "secret").write_text("nightly-dump-8Zk3vQ1x")
        async with serving(says(json.dumps(told).encode())) as server:
            url = server.url(host="localhost")
            yield {"url": url, "secret": {"file": str(secret)}, "success": {"every": "1d"}}


@asynccontextmanager
async def a_good_prometheus() -> AsyncIterator[Options]:
    answer = (
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"n":"a-1"},"value":[1,"2.5"]}]}}'
    )
    async with serving(says(answer)) as server:
        yield {"url": server.url(host="localhost"), "query": "m", "label": "n"}


@asynccontextmanager
async def a_silent_prometheus() -> AsyncIterator[Options]:
    async with a_silent_site() as options:
        yield {**options, "query": "m", "unreachable": "down"}


@asynccontextmanager
async def a_good_nameserver() -> AsyncIterator[Options]:
    async with nameserver(answers("shop.example. A 10.0.0.1")) as server:
        yield {"name": "shop.example", "server": server.address}


@asynccontextmanager
async def a_silent_nameserver() -> AsyncIterator[Options]:
    async with nameserver(nothing) as server:
        yield {"name": "shop.example", "server": server.address}


@asynccontextmanager
async def a_good_redis() -> AsyncIterator[Options]:
    with TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        yield {"address": server.address}


@asynccontextmanager
async def a_good_unit() -> AsyncIterator[Options]:
    with TemporaryDirectory() as folder:
        yield {"unit": "shop", "program": systemctl_that_says(Path(folder), "ActiveState=active")}


GOOD: Final[Mapping[str, Place]] = {
    "cpu": nowhere({}),
    "descriptors": nowhere({}),
    "disk": nowhere({"path": "/"}),
    "dns": a_good_nameserver,
    "files": nowhere({"path": __file__}),
    "heartbeat": a_good_heartbeat,
    "http": a_good_site,
    "icmp": nowhere({"host": "localhost", "interval": "1ms"}),
    "load": nowhere({}),
    "memory": nowhere({}),
    "network": nowhere({"interface": "lo"}),
    "metrics": a_good_page_of_metrics,
    "nagios": nowhere({"command": ["echo", "OK - fine | time=1.5ms"]}),
    "prometheus": a_good_prometheus,
    "process": nowhere({"command": "pytest|python"}),
    "redis": a_good_redis,
    "script": nowhere({"command": ["echo", "depth=3"]}),
    "systemd": a_good_unit,
    "tcp": a_good_port,
    "tls": a_good_certificate,
    "watchkeeper": a_good_watchkeeper,
}
BAD: Final[Mapping[str, Place]] = {
    "disk": nowhere({"path": "/no/such/folder"}),
    "dns": nowhere({"name": "shop.example", "server": f"127.0.0.1:{refused_port()}"}),
    "files": nowhere({"path": "/no/such/folder/*"}),
    "heartbeat": nowhere({"secret": {"file": "/no/such/secret"}, "success": {"every": "1d"}}),
    "http": nowhere({"url": f"http://127.0.0.1:{refused_port()}/"}),
    "icmp": nowhere({"host": "255.255.255.255"}),
    "metrics": nowhere({"url": f"http://127.0.0.1:{refused_port()}", "values": {"depth": {"metric": "depth"}}}),
    "nagios": nowhere({"command": ["no-such-plugin"]}),
    "network": nowhere({"interface": "none9"}),
    "process": nowhere({"name": "no-such-program"}),
    "prometheus": nowhere({"url": f"http://127.0.0.1:{refused_port()}", "query": "m"}),
    "redis": nowhere({"address": f"127.0.0.1:{refused_port()}"}),
    "script": nowhere({"command": ["false"]}),
    "systemd": nowhere({"unit": "shop", "program": "no-such-program"}),
    "tcp": nowhere({"address": f"127.0.0.1:{refused_port()}"}),
    "tls": an_unknown_certificate,
    "watchkeeper": nowhere({"url": f"http://127.0.0.1:{refused_port()}"}),
    "borg": nowhere({"repository": "/no/such/repository"}),
    "pgbackrest": nowhere({"stanza": "none", "config": "/no/such/file"}),
    "postgres_dump": nowhere({"path": "/no/such/folder/*"}),
    "restic": nowhere({"repository": "/no/such/repository", "password": {"env": "HOME"}}),
    "restore": nowhere({"scratch": "/no/such/scratch", "dump": "/no/such/folder/*"}),
}
HANGING: Final[Mapping[str, Place]] = {
    "dns": a_silent_nameserver,
    "http": a_silent_site,
    "metrics": a_silent_page_of_metrics,
    "nagios": nowhere({"command": ["sleep", "60"]}),
    "prometheus": a_silent_prometheus,
    "redis": a_silent_listener,
    "script": nowhere({"command": ["sleep", "60"]}),
    "tcp": a_deaf_port,
    "tls": a_silent_listener,
    "watchkeeper": a_silent_site,
}

every_type = pytest.mark.parametrize("name", names())
every_place = pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for places in (GOOD, BAD) for name, place in places.items()],
    ids=[f"{name}-{which}" for which, places in (("good", GOOD), ("bad", BAD)) for name in places],
)
every_hanging = pytest.mark.parametrize(("name", "place"), HANGING.items(), ids=HANGING)


def sample_at(name: str, place: Place, timeout: str = "5s") -> Sample:
    async def main() -> Sample:
        async with place() as options:
            return await ask(name, options, timeout)

    return run(main())


def fields_of(model: type[Model]) -> list[tuple[str, str | None]]:
    """The name and help text of each field of a model, and of the models within."""
    found = []
    for name, field in model.model_fields.items():
        found.append((f"{model.__name__}.{name}", field.description))
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, Model):
                found += fields_of(inner)
    return found


def test_all_types_of_this_folder_are_found_and_nothing_else() -> None:
    assert {"disk", "dns", "files", "http", "load", "memory", "tcp", "tls", "watchkeeper"} <= set(names())
    assert list(names()) == sorted(names())
    assert not {"base", "_threads", "_resolver"} & set(names())
    with pytest.raises(KeyError):
        find("base")


@every_type
def test_it_is_named_as_its_file_and_says_what_it_is(name: str) -> None:
    kind = find(name)
    assert isinstance(kind, ProberKind)
    assert kind.name == name
    assert kind.summary.endswith(".")
    assert not kind.summary.rstrip(".").endswith(".")


@every_type
def test_every_option_value_and_fact_is_explained(name: str) -> None:
    kind = find(name)
    assert [field for field, text in fields_of(kind.options) if not text] == []
    for value, meaning in kind.values.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", value)
        assert meaning
    for fact, (type_, meaning) in kind.facts.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", fact)
        assert isinstance(type_, FactType)
        assert meaning


@every_type
def test_no_option_takes_the_name_of_what_all_probes_have(name: str) -> None:
    common = {"id", "prober", "service", "every", "cron", "timezone", "timeout", "labels", "category", "each"}
    assert not common & {field.alias or key for key, field in find(name).options.model_fields.items()}


@pytest.mark.parametrize("name", GOOD)
def test_an_option_that_it_does_not_have_is_an_error(name: str) -> None:
    async def main() -> None:
        async with GOOD[name]() as options:
            a_probe(name, options)
            with pytest.raises(ValidationError, match="nonsense"):
                a_probe(name, {**options, "nonsense": 1})

    run(main())


@every_type
def test_its_options_have_a_json_schema(name: str) -> None:
    schema = find(name).options.model_json_schema()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_is_up(name: str) -> None:
    sample = sample_at(name, GOOD[name])
    assert sample.status is Status.UP, sample.message


@every_place
def test_a_sample_says_of_whom_when_and_how_long(name: str, place: Place) -> None:
    sample = sample_at(name, place)
    assert sample.probe_id == "it"
    assert sample.at_ms == NOW_MS
    assert 0 <= sample.duration_s < 5
    assert sample.message
    assert "\n" not in sample.message
    assert not sample.message.endswith(".")


@every_place
def test_a_sample_holds_nothing_that_is_not_declared(name: str, place: Place) -> None:
    kind, sample = find(name), sample_at(name, place)
    assert set(sample.values) <= set(kind.values) or kind.open_values
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", value) for value in sample.values)
    assert set(sample.facts) <= set(kind.facts)
    python = {FactType.TEXT: str, FactType.NUMBER: (int, float), FactType.BOOLEAN: bool, FactType.TIME: datetime}
    for fact, value in sample.facts.items():
        assert isinstance(value, python[kind.facts[fact][0]])  # type: ignore[arg-type]  # classes and tuples of them
    if (at := sample.facts.get("last_backup")) is not None:
        assert isinstance(at, datetime)
        assert at.tzinfo is not None


@every_place
def test_a_sample_of_a_network_that_is_not_up_has_its_failure(name: str, place: Place) -> None:
    sample = sample_at(name, place)
    if "failure" in find(name).facts:
        assert ("failure" in sample.facts) is (sample.status is not Status.UP)
        assert (sample.facts.get("failure") == Failure.LOCAL) is (sample.status is Status.UNKNOWN)


@every_hanging
def test_its_timeout_is_held(name: str, place: Place) -> None:
    sample = sample_at(name, place, BLINK)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")
    assert 0.2 < sample.duration_s < 2
    assert f"within {BLINK}" in sample.message


@every_hanging
def test_when_it_is_closed_what_is_under_way_ends_as_unknown(name: str, place: Place) -> None:
    async def main() -> Sample:
        async with place() as options:
            prober = find(name).make(now)
            hanging = asyncio.create_task(prober.run(a_probe(name, options, "1m")))
            await asyncio.sleep(0)  # it begins
            await prober.close()
            return await asyncio.wait_for(hanging, 5)

    sample = run(main())
    assert (sample.status, sample.message) == (Status.UNKNOWN, "watchkeeper is stopping")
    assert sample.facts == {"failure": "local"}


@every_hanging
def test_a_run_that_is_cancelled_is_cancelled(name: str, place: Place) -> None:
    async def main() -> None:
        async with place() as options:
            prober = find(name).make(now)
            hanging = asyncio.create_task(prober.run(a_probe(name, options, "1m")))
            await asyncio.sleep(0)
            hanging.cancel()
            await asyncio.wait([hanging], timeout=5)
            assert hanging.cancelled()
            await prober.close()

    run(main())


@pytest.mark.parametrize("name", GOOD)
def test_once_it_is_closed_every_run_is_unknown(name: str) -> None:
    async def main() -> Sample:
        async with GOOD[name]() as options:
            prober = find(name).make(now)
            await prober.run(a_probe(name, options))
            await prober.close()
            await prober.close()  # does nothing more
            return await prober.run(a_probe(name, options))

    sample = run(main())
    assert (sample.status, sample.message) == (Status.UNKNOWN, "watchkeeper is stopping")


@pytest.mark.parametrize("name", GOOD)
def test_a_run_leaves_no_task_behind(name: str) -> None:
    async def main() -> set[asyncio.Task[Any]]:
        async with GOOD[name]() as options:
            prober = find(name).make(now)
            await prober.run(a_probe(name, options))
            left = {task for task in asyncio.all_tasks() if "watchkeeper/probers" in repr(task)}
            await prober.close()
            return left

    assert run(main()) == set()
