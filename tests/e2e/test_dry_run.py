"""What would be sent is shown, and can not be sent."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes
from tests.simulators import jira
from tests.simulators.http import Request, Server, json_response, serving
from watchkeeper.cli.tickets import command

SECRET = "s3cr3t-of-a-backend"
KINDS = {
    "servicenow": "auth: {username: watchkeeper, password: SECRET}",
    "rt": "auth: {token: SECRET}, queue: Operations",
    "jira": "auth: {username: USER, token: SECRET}, project: OPS, issue_type: Task",
    "webhook": "secret: SECRET",
}


@dataclass(frozen=True)
class Remote:
    """A ticket system that remembers what it is asked, and how it is configured."""

    server: Server
    keys: str
    secret: str

    def asked_to_change(self) -> list[Request]:
        return [one.request for one in self.server.exchanges if one.request.method not in ("GET", "HEAD")]


@pytest.fixture(scope="module")
def remotes() -> Iterator[Mapping[str, Remote]]:
    """One of each kind. Jira's backend asks how its forms are before it can word a call: it gets answers."""
    with jira.running("cloud") as site, serving(lambda _: json_response(200, {"result": []})) as server:
        user, word = site.login
        found = {kind: Remote(server, keys, SECRET) for kind, keys in KINDS.items()}
        yield {**found, "jira": Remote(site.server, KINDS["jira"].replace("USER", user), word)}


def with_backends(folder: Path, remotes: Mapping[str, Remote]) -> Setup:
    """A probe that is down, and of each kind a backend and a rule of its name."""
    backends = ""
    rules = "groups:\n  - name: all\n    rules:\n"
    for kind, remote in remotes.items():
        (folder / f"{kind}.secret").write_text(remote.secret)
        keys = remote.keys.replace("SECRET", f"{{file: {kind}.secret}}")
        backends += f"    {kind}: {{type: {kind}, url: '{remote.server.url()}', {keys}}}\n"
        rules += f"      - {{id: {kind}, when: status == 'down', incident: {{backend: {kind}}}}}\n"
    itsm = f"itsm:\n  default: {next(iter(remotes))}\n  backends:\n{backends}"
    return Setup.of(folder, probes=tcp_probes([free_port()]), rules=rules, more=itsm)


def asked(setup: Setup, *arguments: str) -> tuple[int, str]:
    """Status and output of a preview."""
    done = CliRunner().invoke(command, ["preview", *arguments, "-c", str(setup.config)])
    return done.exit_code, done.output


def test_a_dry_run_tells_what_it_would_send_and_sends_nothing(tmp_path: Path, remotes: Mapping[str, Remote]) -> None:
    setup = with_backends(tmp_path, remotes)
    (temporary := tmp_path / "tmp").mkdir()
    with setup.daemon({"TMPDIR": str(temporary)}, "--dry-run") as daemon:
        for _ in remotes:
            daemon.wait_for("ticket_opened")
        assert list(temporary.iterdir())
        assert daemon.stop() == 0
    shown = {one["backend"]: one["url"] for one in daemon.seen("ticket_preview") if one["method"] == "POST"}
    assert shown.keys() == remotes.keys()
    for kind, remote in remotes.items():
        assert shown[kind].startswith(remote.server.url())
        assert remote.asked_to_change() == []
        assert remote.secret not in json.dumps(daemon.events)
    assert {one["ticket"] for one in daemon.seen("ticket_opened")} == {f"DRY-{n}" for n in range(1, 5)}
    assert daemon.seen("dry_run")
    assert not [*tmp_path.glob("*.db*"), *temporary.iterdir()]


def test_a_dry_run_goes_on_beside_a_daemon_and_leaves_its_database_alone(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened", ticket="DESK-1")
        with setup.daemon({}, "--dry-run") as dry:
            dry.wait_for("ticket_preview")
            assert dry.stop() == 0
        assert daemon.stop() == 0
    assert [one["number"] for one in setup.listed("tickets")] == ["DESK-1"]


def test_a_preview_shows_the_calls_of_a_backend_and_changes_nothing(
    tmp_path: Path, remotes: Mapping[str, Remote]
) -> None:
    setup = with_backends(tmp_path, remotes)
    for kind, remote in remotes.items():
        status, text = asked(setup, kind, "port-0", "--message", "no answer", "--json")
        assert status == 0, text
        shown = json.loads(text)
        assert (shown["backend"], shown["type"], shown["verdict"]) == (kind, kind, "holds")
        assert [call["method"] for call in shown["create"] if call["method"] != "GET"] == ["POST"]
        assert "no answer" in json.dumps(shown["create"])
        assert "Over since" in json.dumps(shown["resolve"])
        assert all(call["url"].startswith(remote.server.url()) for call in shown["create"] + shown["resolve"])
        assert remote.asked_to_change() == []
        assert remote.secret not in text


def test_a_preview_is_of_the_sample_that_was_asked_for(tmp_path: Path) -> None:
    setup = Setup.of(
        tmp_path,
        probes="probes:\n  - {id: root, prober: disk, service: web, path: /}\n"
        "  - {id: port, prober: tcp, service: web, address: '127.0.0.1:9'}\n",
        rules="groups:\n  - name: all\n    rules:\n      - id: full\n        match: {prober: disk}\n"
        "        when: values.used_percent > 90\n        title: 'Disk at {{ values.used_percent }} %'\n",
    )

    status, text = asked(setup, "full", "root", "--value", "used_percent=97")
    assert status == 0
    assert "root is up: the rule fires on such a sample." in text
    assert '"title": "Disk at 97.0 %"' in text
    assert "root is up: the rule does not fire" in asked(setup, "full", "root", "--value", "used_percent=9")[1]
    assert "Nothing is sent. desk (local) would get, for a new incident:" in asked(setup, "full", "root", "--run")[1]
    of_problem = asked(setup, "full", "root", "--value", "used_percent=97", "--problem")[1]
    assert "would get, for a new problem:" in of_problem
    assert '"kind": "problem"' in of_problem
    assert '"state": "resolved"' not in of_problem
    assert not list(tmp_path.glob("*.db*"))

    assert asked(setup, "ful", "root") == (1, "there is no rule 'ful' (did you mean 'full'?); there is full\n")
    assert asked(setup, "full", "rot") == (1, "there is no probe 'rot' (did you mean 'root'?); there is root, port\n")
    assert asked(setup, "full", "port") == (
        1,
        "the rule 'full' does not look at the probe 'port'; it looks at root\n",
    )
    for wrong, why in (
        (("--value", "used_percnt=97"), "did you mean 'used_percent'?"),
        (("--value", "used_percent=lots"), "'lots' is no number"),
        (("--value", "used_percent"), "write NAME=NUMBER"),
        (("--fact", "no=1"), "the disk prober produces no fact 'no'"),
        (("--run", "--status", "down"), "not both"),
    ):
        status, text = asked(setup, "full", "root", *wrong)
        assert status == 2
        assert why in text
