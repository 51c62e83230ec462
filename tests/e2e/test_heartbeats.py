"""A job tells a real daemon, and the daemon misses it; a restart forgets nothing."""

from pathlib import Path

from tests.e2e.daemon import Setup

SECRET = "nightly-dump-8Zk3vQ1x"
PROBES = """\
probes:
  - id: nightly-dump
    prober: heartbeat
    service: web
    every: 1s
    secret: {file: beat.secret}
    success: {every: 1d}
    url: http://127.0.0.1:PORT
"""
RULES = """\
groups:
  - name: jobs
    rules:
      - {id: job-failed, match: {prober: heartbeat}, when: 'facts.state == "failed"'}
"""


def test_a_job_that_fails_is_a_ticket_and_what_it_told_survives_a_restart(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES)
    setup.write("beat.secret", SECRET + "\n")
    with setup.daemon():
        assert setup.get("/api/v1/heartbeat/somebody-elses-secret/fail", post=True)[0] == 404
        assert setup.get(f"/api/v1/heartbeat/{SECRET}/start", post=True) == (200, "kept\n")
        assert setup.get(f"/api/v1/heartbeat/{SECRET}/fail?exit_code=3", post=True)[0] == 200
        setup.wait_until(lambda: len(setup.listed("tickets")) == 1)
        shown = setup.command("probe", "nightly-dump")
        assert "the job failed with exit code 3" in shown.stdout
        assert SECRET not in shown.stdout + shown.stderr
    with setup.daemon() as daemon:
        assert "the job failed with exit code 3" in setup.command("probe", "nightly-dump").stdout
        assert setup.get(f"/api/v1/heartbeat/{SECRET}/success")[0] == 200
        setup.wait_until(lambda: setup.command("probe", "nightly-dump").returncode == 0)
        setup.wait_until(lambda: setup.listed("incidents")[0]["state"] == "resolved")
        assert SECRET not in str(daemon.__dict__)
    assert SECRET not in (tmp_path / "watchkeeper.db").read_bytes().decode("latin-1")
