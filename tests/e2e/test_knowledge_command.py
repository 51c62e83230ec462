"""What is known is searched at the terminal."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from watchkeeper.app.parts import load_config, open_database
from watchkeeper.cli.knowledge import command
from watchkeeper.domain.lessons import Resolution
from watchkeeper.store import migrate
from watchkeeper.store.resolutions import keep

CONFIG = """\
probe_files: [probes.yaml]
rule_files: [rules.yaml]
services: {shop: {}}
"""
ARTICLE = """\
---
title: Make room on a full disk
match: {rule: disk-full}
runbook: https://wiki.example.com/disk
---
# Make room on a full disk

What fills it: `du`
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge/disk.md").write_text(ARTICLE)
    (tmp_path / "probes.yaml").write_text("probes: [{id: root, prober: disk, service: shop, path: /}]\n")
    rules = "groups: [{name: g, rules: [{id: disk-full, when: values.used_percent > 90}]}]\n"
    (tmp_path / "rules.yaml").write_text(rules)
    path = tmp_path / "watchkeeper.yaml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "-c", str(config)])


def remember(config: Path, text: str) -> None:
    database = open_database(load_config(config))
    migrate.upgrade(database)
    keep(database, Resolution(12, "k", "disk-full", "shop", 1_000, text, "T-9"))
    database.close()


def test_an_article_is_found_by_its_words(config: Path) -> None:
    remember(config, "Ordered more memory.")

    done = run(config, "search", "disk", "is", "FULL")

    assert done.exit_code == 0
    assert done.stdout == (
        "Make room on a full disk  (article, knowledge/disk.md)\n"
        "  has the words disk full\n"
        "  What fills it: `du`\n"
        "  https://wiki.example.com/disk\n"
    )


def test_what_resolved_an_incident_is_found_too_and_printed_without_what_steers_a_terminal(config: Path) -> None:
    remember(config, "Ordered more \x1b[31m memory.")

    assert run(config, "search", "memory").stdout == (
        "INC-12  (resolution, T-9)\n  has the words memory\n  Ordered more \ufffd[31m memory.\n"
    )


def test_programs_get_json(config: Path) -> None:
    remember(config, "Ordered more memory.")

    [found] = json.loads(run(config, "search", "full disk", "--json").stdout)

    assert (found["id"], found["source"], found["place"]) == ("disk", "file", "knowledge/disk.md")
    assert found["match"] == {"rule": ["disk-full"], "prober": [], "service": [], "message": None}
    assert found["why"] == [{"why": "words", "what": "full disk"}]
    assert [one["id"] for one in json.loads(run(config, "list", "--json").stdout)] == ["INC-12", "disk"]


def test_all_that_is_known_is_listed_with_what_it_is_for(config: Path) -> None:
    remember(config, "Ordered more memory.")

    lines = run(config, "list").stdout.splitlines()

    assert [line.split() for line in lines] == [
        ["KIND", "TITLE", "FOR", "WHERE"],
        ["resolution", "INC-12", "rule", "disk-full,", "service", "shop", "T-9"],
        ["article", "Make", "room", "on", "a", "full", "disk", "rule", "disk-full", "knowledge/disk.md"],
    ]


def test_where_nothing_is_known_that_is_said(config: Path) -> None:
    remember(config, "")

    assert run(config, "search", "kubernetes").stdout == "nothing is known about this\n"


def test_without_a_database_the_articles_are_searched_all_the_same(config: Path) -> None:
    done = run(config, "search", "disk")

    assert done.exit_code == 0
    assert done.stdout.startswith("Make room")
    assert done.stderr.startswith("watchkeeper: of earlier incidents nothing is known: there is no database")


def test_a_configuration_that_is_wrong_is_an_error(config: Path) -> None:
    (config.parent / "knowledge/disk.md").write_text("---\nmatch: {message: '('}\n---\n")

    done = run(config, "search", "disk")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "knowledge/disk.md:2:18: match.message: is not valid" in done.stderr
