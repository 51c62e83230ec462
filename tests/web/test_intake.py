"""The endpoints where others report trouble: who may, how much, and what they are answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.web.asgi import Answer, request
from tests.web.daemons import HandDaemon
from tests.web.intakes import HandIntake, source
from watchkeeper.config.sources import Source
from watchkeeper.schema.fields import Address
from watchkeeper.web.intake import MAX_BODY, MOST_AT_ONCE, intake_routes
from watchkeeper.web.pages import make_app
from watchkeeper.web.server import WebServer, listen

TOKEN = "correct horse battery staple"
EVENT = json.dumps({"key": "backup", "title": "No backup"}).encode()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WK_TEST_TOKEN", TOKEN)


def intake_of(*sources: Source) -> HandIntake:
    return HandIntake({one.name: one for one in sources or (source("events"),)})


def post(intake: HandIntake, body: bytes = EVENT, path: str = "events", **headers: str) -> Answer:
    sent = {"Authorization": f"Bearer {TOKEN}", **headers}
    app = make_app(HandDaemon(), intake_routes(intake))
    return asyncio.run(request(app, f"/api/v1/{path}", "POST", body=body, headers=sent))


def test_what_is_reported_is_taken_in_and_answered() -> None:
    intake = intake_of()
    answer = post(intake)
    assert (answer.status, json.loads(answer.body)) == (200, {"reports": 1, "news": 1})
    [(name, [report], left_out)] = intake.taken
    assert (name, report.key, report.title, left_out) == ("events", "backup", "No backup", 0)


def test_what_may_not_be_kept_is_to_be_sent_again() -> None:
    intake = intake_of()
    intake.news = None
    answer = post(intake)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert intake.refusals == [("events", "not_durable")]


def test_a_source_that_has_too_much_is_told_so() -> None:
    intake = intake_of()
    intake.full = True
    answer = post(intake)
    assert (answer.status, answer.body) == (503, "10000 alerts of am fire already\n")
    assert intake.refusals == [("events", "full")]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic YTpi", TOKEN])
def test_who_shows_no_token_is_asked_for_one(header: str) -> None:
    intake = intake_of()
    answer = post(intake, Authorization=header)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert intake.taken == []


def test_who_has_another_token_is_turned_away_and_told_nothing() -> None:
    intake = intake_of()
    answer = post(intake, Authorization="Bearer guess")
    assert (answer.status, answer.body) == (403, "no source of this type has this token\n")
    nobody = post(HandIntake({}), Authorization="Bearer guess")
    assert (nobody.status, nobody.body) == (answer.status, answer.body)


def test_a_token_is_good_for_sources_of_its_own_type_only() -> None:
    intake = intake_of(source("events"))
    assert post(intake, path="alertmanager").status == 403


def test_each_source_has_its_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WK_OTHER_TOKEN", "another one")
    intake = intake_of(source("events", "one"), source("events", "other", token={"env": "WK_OTHER_TOKEN"}))
    post(intake)
    post(intake, Authorization="bearer another one")
    assert [name for name, _, _ in intake.taken] == ["one", "other"]


def test_a_token_that_two_sources_have_opens_nothing() -> None:
    intake = intake_of(source("events", "one"), source("events", "other"))
    assert post(intake).status == 403
    assert ("", "token_shared") in intake.refusals


def test_a_token_that_is_not_where_it_should_be_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    missing = source("events", "missing", token={"file": str(tmp_path / "none")})
    empty = source("events", "empty", token={"file": str(tmp_path / "empty")})
    intake = intake_of(missing, empty, source("events", "good"))
    assert post(intake).status == 200
    assert intake.refusals == [("missing", "token_unavailable"), ("empty", "token_unavailable")]


def test_what_is_said_to_be_too_long_is_not_even_read() -> None:
    intake = intake_of()
    headers: dict[str, Any] = {"Content-Length": str(MAX_BODY + 1)}
    answer = post(intake, **headers)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert intake.refusals == [("events", "too_large")]


def test_what_turns_out_to_be_too_long_is_not_read_on() -> None:
    assert post(intake_of(), b" " * (MAX_BODY + 1)).status == 413


def test_what_nobody_sent_is_not_decided_on() -> None:
    intake = intake_of()
    answer = post(intake, b'{"key": "backup", "titel": "No backup"}')
    assert answer.status == 400
    assert "titel: there is no such field\n" in answer.body
    assert intake.refusals == [("events", "unreadable")]
    assert intake.taken == []


@pytest.mark.parametrize("path", ["alertmanager", "passive", "events"])
def test_nothing_but_a_post_reports(path: str) -> None:
    app = make_app(HandDaemon(), intake_routes(intake_of()))
    assert asyncio.run(request(app, f"/api/v1/{path}")).status == 405


def test_only_so_many_reports_are_taken_in_at_once() -> None:
    async def main() -> Sequence[Answer]:
        intake.open = asyncio.Event()
        app = make_app(HandDaemon(), intake_routes(intake))
        sent = {"Authorization": f"Bearer {TOKEN}"}
        asked = [
            asyncio.create_task(request(app, "/api/v1/events", "POST", body=EVENT, headers=sent))
            for _ in range(MOST_AT_ONCE + 1)
        ]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        intake.open.set()
        return [*(task.result() for task in done), *await asyncio.gather(*asked)]

    intake = intake_of()
    first, *all_of_them = asyncio.run(main())
    assert (first.status, first.headers["retry-after"]) == (503, "5")
    assert sorted(answer.status for answer in all_of_them) == [200] * MOST_AT_ONCE + [503]


@asynccontextmanager
async def serving(intake: HandIntake) -> AsyncIterator[int]:
    """The port of a server on loopback."""
    sock = listen(Address("127.0.0.1", 0))
    server = WebServer(make_app(HandDaemon(), intake_routes(intake)), sock)
    server.begin()
    try:
        yield int(sock.getsockname()[1])
    finally:
        await server.end()


@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes_are_answered_without_being_read(chunked: bool) -> None:
    size, piece = 10_000_000, 50_000

    async def main() -> tuple[bytes, int]:
        async with serving(intake_of()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
            head = ("POST /api/v1/events HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", framing, "", "")
            writer.write("\r\n".join(head).encode())
            sent = 0
            answering = asyncio.create_task(reader.read(20))
            while sent < size and not answering.done():
                body = b" " * piece
                writer.write(b"%x\r\n%b\r\n" % (piece, body) if chunked else body)
                sent += piece
                try:
                    await writer.drain()
                except ConnectionError:
                    break
                await asyncio.sleep(0)
            answer = await answering
            writer.close()
            return answer, sent

    answer, sent = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < size
