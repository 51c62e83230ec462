"""Events that are sent while the daemon is killed, again and again: each is one ticket, whatever was lost."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path
from time import monotonic

from tests.e2e.daemon import PATIENCE_S, Setup
from tests.e2e.test_alertmanager import PROBES, RULES

SOURCES = """
sources:
  jobs: {type: events, token: {env: JOBS_TOKEN}, service: web}
correlation: {group_wait: 0s}
"""
TOKEN = {"JOBS_TOKEN": "correct horse battery staple"}
KEYS = [f"job{number}" for number in range(30)]


class Sender:
    """Sends events one by one, each until it is answered with 200, as often as it takes."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/events"
        self.answers: Counter[str] = Counter()
        self.stop = threading.Event()

    def send(self, **event: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN['JOBS_TOKEN']}"}
        until = monotonic() + PATIENCE_S
        while monotonic() < until and not self.stop.is_set():
            request = urllib.request.Request(self._url, json.dumps(event).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    self.answers[str(answer.status)] += 1
                    return
            except urllib.error.HTTPError as error:
                with error:
                    self.answers[str(error.code)] += 1
            except OSError:
                self.answers["none"] += 1
            self.stop.wait(0.05)

    def was_answered(self, times: int) -> bool:
        """Whether so many events were. Looks after a moment only."""
        return self.stop.wait(0.02) or self.answers["200"] >= times

    def send_all(self) -> None:
        for key in KEYS:
            self.send(key=key, title=f"{key} failed")
        for key in KEYS[::2]:
            self.send(key=key, state="over")


def open_titles(setup: Setup) -> set[str]:
    return {str(one["title"]) for one in setup.listed("incidents") if one["state"] == "open"}


def test_events_that_are_sent_while_the_daemon_is_killed_are_one_ticket_each(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES, more=SOURCES)
    sender = Sender(setup.port)
    sending = threading.Thread(target=sender.send_all, daemon=True)
    sending.start()
    try:
        for kills in range(4):
            with setup.daemon(TOKEN) as daemon:
                answered = sender.answers["200"]
                setup.wait_until(partial(sender.was_answered, answered + 5))
                assert sending.is_alive(), f"it was all sent before kill {kills}"
                daemon.kill()
        with setup.daemon(TOKEN) as daemon:
            sending.join(PATIENCE_S)
            setup.wait_until(lambda: len(setup.listed("tickets")) == len(KEYS))
            setup.wait_until(lambda: len(open_titles(setup)) == len(KEYS) // 2)
            assert daemon.stop() == 0
    finally:
        sender.stop.set()

    assert sender.answers["200"] == len(KEYS) + len(KEYS[::2])
    assert sender.answers["none"] > 0
    assert Counter(ticket["title"] for ticket in setup.listed("tickets")) == Counter(f"{key} failed" for key in KEYS)
    assert open_titles(setup) == {f"{key} failed" for key in KEYS[1::2]}
