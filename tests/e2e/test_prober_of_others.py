"""Probe types that another package brings along: from `check` to the daemon's schema, and when they are broken."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.test_documentation import ROOT

OWN: Final = (ROOT / "docs/how-to/write-a-prober.md").read_text(encoding="utf-8")
MODULE: Final = OWN.partition("```python\n")[2].partition("```")[0]
PROBES: Final = OWN.partition("```yml\n")[2].partition("```")[0]
DAEMON: Final = "probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices: {mes: {title: MES}}\n"
RULES: Final = """\
groups:
  - name: mes
    rules:
      - id: queue-is-long
        match: {prober: spool}
        when: values.waiting > 100 && facts.oldest != ""
"""


def installed(folder: Path, module: str = MODULE, name: str = "spool", package: str = "own-probers") -> None:
    """A package that has a probe type, as pip leaves it."""
    (folder / f"{package.replace('-', '_')}.py").write_text(module)
    about = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[watchkeeper.probers]\n{name} = {package.replace('-', '_')}:KIND\n")


def watchkeeper(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "watchkeeper", *arguments],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def check(folder: Path, probes: str = PROBES, rules: str = RULES) -> subprocess.CompletedProcess[str]:
    """What `watchkeeper check` says of a probe of this type."""
    for name, text in (("watchkeeper.yaml", DAEMON), ("probes.yaml", probes), ("rules.yaml", rules)):
        (folder / name).write_text(text)
    return watchkeeper(folder, "check", "-c", "watchkeeper.yaml")


def test_the_example_of_the_how_to_is_checked_run_and_in_the_schema(tmp_path: Path) -> None:
    installed(tmp_path)
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "job").write_text("x")
    done = check(tmp_path, PROBES.replace("/var/spool/mes", str(spool)))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "spool" in done.stdout

    ran = watchkeeper(tmp_path, "probe", "mes-spool", "-c", "watchkeeper.yaml", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["values"] == {"waiting": 1.0}

    schema = watchkeeper(tmp_path, "schema", "probes")
    assert "probe.spool" in json.loads(schema.stdout)["$defs"]


def test_its_options_values_and_facts_are_checked_like_any(tmp_path: Path) -> None:
    installed(tmp_path)
    done = check(tmp_path, PROBES.replace("folder:", "foldr:"), RULES.replace("waiting", "wating"))
    assert done.returncode == 1
    assert "foldr" in done.stderr
    assert "folder" in done.stderr
    assert "the spool prober produces no value 'wating'" in done.stderr


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import no_such_module", "can not be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "can not be imported: SystemExit: 3"),
        ("def KIND(:", "can not be imported: SyntaxError"),
        ("", "can not be imported: AttributeError"),
        ("KIND = 5", "it is a int, and must be a watchkeeper.probers.base.ProberKind"),
        (MODULE.replace('name="spool"', 'name="spol"'), "its name is 'spol': it must be that of the entry point"),
        (MODULE.replace("(Model)", ""), "its options must be a subclass"),
        (MODULE.replace("folder: LocalPath", "service: LocalPath"), "its option 'service' has the name"),
        (MODULE.replace('"waiting":', '"Waiting":'), "its value or fact 'Waiting' is no name"),
        (MODULE.replace("category=Category.HEALTH", "category='health'"), "its category must be one of"),
        (MODULE.replace("FactType.TEXT", "str"), "the type of its fact 'oldest' must be one of"),
    ],
)
def test_one_that_is_broken_is_refused_and_the_package_is_named(tmp_path: Path, module: str, said: str) -> None:
    installed(tmp_path, module)
    done = check(tmp_path)
    assert done.returncode == 1
    assert "probes.yaml:4:13" in done.stderr
    assert "the prober 'spool' of the package own-probers can not be used" in done.stderr
    assert said in done.stderr


def test_one_that_is_broken_and_not_used_disturbs_nothing(tmp_path: Path) -> None:
    installed(tmp_path, "import no_such_module")
    probes = "probes: [{id: port, prober: tcp, service: mes, address: 'localhost:80'}]"
    done = check(
        tmp_path, probes, RULES.replace("prober: spool", "prober: tcp").split("when")[0] + "when: status == 'down'"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert watchkeeper(tmp_path, "schema", "probes").returncode == 0


def test_two_packages_with_one_name_are_refused_and_watchkeepers_own_is_its_own(tmp_path: Path) -> None:
    installed(tmp_path)
    installed(tmp_path, package="other-probers")
    installed(tmp_path, "raise SystemExit(3)", name="tcp", package="third-probers")
    assert "two packages have one of this name" in check(tmp_path).stderr
    probes = "probes: [{id: port, prober: tcp, service: mes, address: 'localhost:80'}]"
    assert check(tmp_path, probes, "groups: []").returncode == 0
