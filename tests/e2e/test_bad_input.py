"""What bad input gets: a message with its place, a fitting exit status, no traceback, nothing written over."""

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.daemon import Setup, free_port, run_command
from tests.e2e.test_restart import DOWN, tcp_probes

PROBES = tcp_probes([9])


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "probes.yaml",
            PROBES.replace("every", "evry"),
            "probes.yaml:1:12: defaults.evry: unknown key (did you mean 'every'?)",
        ),
        ("probes.yaml", PROBES.replace("200ms", "200"), "has no unit: accepted is a duration"),
        ("probes.yaml", PROBES + PROBES.rpartition("probes:\n")[2], "the id 'port-0' is taken by the probe at"),
        ("probes.yaml", "", "probes.yaml:1:1: the file is empty"),
        ("probes.yaml", "probes:\n\t- id: a\n", "probes.yaml:2:1: a tab stands here"),
        ("probes.yaml", PROBES + "---\nprobes: []\n", "probes.yaml:4:1: a second document begins here"),
        ("rules.yaml", DOWN.replace("status == 'down'", "status ="), "rules.yaml:5:"),
        (
            "rules.yaml",
            DOWN.replace("status == 'down'", "values.used_percent > 9"),
            "the tcp prober produces no value",
        ),
        ("config.yaml", "probe_files: [nowhere.yaml]\n", "config.yaml:1:15: probe_files[0]: no file matches"),
        ("config.yaml", "probe_files: [.]\n", "is a directory; a file is expected"),
        (
            "config.yaml",
            "state: postgresql://wk:hunter2@h/d\nprobe_files: []\n",
            "a secret does not stand in the file",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_mistake_in_a_file_is_told_and_nothing_begins(
    tmp_path: Path, command: str, file: str, text: str, said: str
) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN)
    setup.write(file, text)
    done = setup.command(command)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert not (tmp_path / "watchkeeper.db").exists()


def test_a_missing_configuration_says_so(tmp_path: Path) -> None:
    done = run_command("check", folder=tmp_path)
    assert done.returncode == 1
    assert "watchkeeper.yaml:1:1: there is no such file" in done.stderr


def test_a_yaml_bomb_is_an_error_and_no_hang(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN)
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    setup.write("probes.yaml", bomb)
    done = setup.command("check")
    assert done.returncode == 1
    assert "aliases in this file stand for more than" in done.stderr


def test_a_port_in_use_is_told_with_the_port(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN)
    with socket.create_server(("127.0.0.1", setup.port)):
        done = setup.command("run")
    assert done.returncode == 3
    assert f"can not listen on 127.0.0.1:{setup.port}: address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_corrupt_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN)
    database = tmp_path / "watchkeeper.db"
    database.write_bytes(b"this is not a database" * 1000)
    before = database.read_bytes()
    for command in (["run"], ["incidents"], ["db", "upgrade"], ["db", "backup"]):
        done = setup.command(*command)
        assert done.returncode == 3, command
        assert str(database) in done.stderr
        assert "Traceback" not in done.stderr
    assert database.read_bytes() == before


def test_a_database_of_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN)
    assert setup.command("db", "upgrade").returncode == 0
    with sqlite3.connect(tmp_path / "watchkeeper.db") as connection:
        connection.execute("UPDATE watchkeeper_schema SET version_num = '9999'")
    connection.close()
    done = setup.command("run")
    assert done.returncode == 3
    assert "its schema is 9999" in done.stderr
    assert "Install the newer version, or restore an older backup" in done.stderr


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN, more="state: sqlite:////proc/watchkeeper.db\n")
    else:
        (tmp_path / "shut").mkdir(mode=0o500)
        setup = Setup.of(tmp_path, probes=PROBES, rules=DOWN, more="state: sqlite:///shut/watchkeeper.db\n")
    done = setup.command("run")
    assert done.returncode == 3
    assert "can not be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert run_command("run", "--colour", folder=tmp_path).returncode == 2
    assert run_command("sing", folder=tmp_path).returncode == 2


def test_a_mistake_in_a_rule_keeps_nobody_from_his_incidents(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon():
        setup.wait_until(lambda: bool(setup.listed("tickets")))
    (tmp_path / "rules.yaml").write_text("groups: [{name: a, rules: [{id: r, when: nope}]}]\n")

    assert setup.command("check").returncode == 1
    for command in ("incidents", "tickets", "db"):
        arguments = ["upgrade"] if command == "db" else []
        assert setup.command(command, *arguments).returncode == 0
