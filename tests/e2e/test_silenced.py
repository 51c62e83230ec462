"""A silence holds incidents back in a running daemon."""

import json
import urllib.request
from pathlib import Path

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes


def test_what_is_silenced_opens_when_the_silence_is_ended(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()], every="1s"), rules=DOWN)
    assert setup.command("db", "upgrade").returncode == 0
    made = setup.command("silence", "add", "service=web", "--for", "1h", "-m", "switch", "--by", "alice")
    assert made.returncode == 0, made.stderr
    with setup.daemon() as daemon:
        daemon.wait_for("alert_firing")
        assert setup.listed("incidents") == []
        assert setup.command("silence", "end", "SIL-1").returncode == 0
        daemon.wait_for("ticket_opened")
        assert daemon.stop() == 0


def test_a_silence_made_by_the_api_counts_at_once(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()], every="1h"), rules=DOWN)
    asked = {"matchers": ["service=web"], "for": "1h", "author": "alice", "reason": "switch"}
    url, kind = f"http://127.0.0.1:{setup.port}/api/v1/silences", {"Content-Type": "application/json"}
    with setup.daemon() as daemon:
        with urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(asked).encode(), kind), timeout=5
        ) as answer:
            assert answer.status == 201
        daemon.wait_for("silence_added")
        setup.wait_until(lambda: 'watchkeeper_windows{because="silence"} 1.0' in setup.get("/metrics")[1])
        assert daemon.stop() == 0
