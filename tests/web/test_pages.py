"""What the daemon shows over HTTP."""

import asyncio
import json
import re

import pytest

from tests.web.asgi import Answer, request
from tests.web.daemons import HandDaemon
from watchkeeper.web.daemon import Reload
from watchkeeper.web.pages import make_app


def ask(daemon: HandDaemon, path: str, method: str = "GET") -> Answer:
    return asyncio.run(request(make_app(daemon), path, method))


def test_every_link_of_the_front_page_leads_somewhere() -> None:
    front = ask(HandDaemon(), "/")
    assert (front.status, front.headers["content-type"]) == (200, "text/html; charset=utf-8")

    links = re.findall(r'href="([^"]+)"', front.body)

    assert len(links) == 4
    assert [ask(HandDaemon(), link).status for link in links] == [200] * 4


def test_metrics_come_in_prometheus_text_format() -> None:
    answer = ask(HandDaemon(), "/metrics")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body == "# HELP up Up\n# TYPE up gauge\nup 1\n"


def test_the_status_is_json_though_the_daemon_does_not_work() -> None:
    answer = ask(HandDaemon(missing=["the schedule does not run"]), "/api/v1/status")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {"version": "1.2.3", "not_ready": []}


def test_a_process_that_answers_is_healthy() -> None:
    assert ask(HandDaemon(missing=["the schedule does not run"]), "/-/healthy").status == 200


def test_a_daemon_that_works_is_ready() -> None:
    answer = ask(HandDaemon(), "/-/ready")

    assert (answer.status, answer.body) == (200, "watchkeeper is ready\n")


def test_a_daemon_that_does_not_work_says_what_keeps_it() -> None:
    missing = ["the schedule does not run", "the database has not answered for 31 s"]
    answer = ask(HandDaemon(missing=missing), "/-/ready")

    assert answer.status == 503
    assert answer.body == "".join(f"not ready: {reason}\n" for reason in missing)


def test_a_reload_says_what_is_in_force() -> None:
    daemon = HandDaemon()
    answer = ask(daemon, "/-/reload", "POST")

    assert (answer.status, answer.body) == (200, "reloaded: 3 probes, 2 rules\n")
    assert daemon.reloads == 1


def test_a_reload_that_fails_says_every_problem() -> None:
    outcome = Reload(["watchkeeper.yaml:3:5: no such key", "rules/a.yaml:1:1: empty"], "nothing has changed")
    answer = ask(HandDaemon(outcome=outcome), "/-/reload", "POST")

    assert answer.status == 400
    assert answer.body.splitlines() == [*outcome.problems, "nothing has changed"]


def test_a_reload_that_fails_of_a_bug_is_the_servers_fault() -> None:
    answer = ask(HandDaemon(outcome=Reload((), "the reload failed: KeyError('x')", fault=True)), "/-/reload", "POST")

    assert (answer.status, answer.body) == (500, "the reload failed: KeyError('x')\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_but_a_post_reloads(method: str) -> None:
    daemon = HandDaemon()

    assert ask(daemon, "/-/reload", method).status == 405
    assert daemon.reloads == 0


def test_a_page_that_is_not_there_is_not_found() -> None:
    assert ask(HandDaemon(), "/incidents").status == 404
