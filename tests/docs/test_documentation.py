"""What the documentation shows is true: examples load, links lead somewhere, generated pages are current."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from watchkeeper.app.parts import catalogue
from watchkeeper.config.jsonschema import schemas
from watchkeeper.config.load import load

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench/README.md"])
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def examples() -> list[Any]:
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
    ]


@pytest.mark.parametrize("block", examples())
def test_an_example_is_what_its_schema_accepts(block: str) -> None:
    data = yaml.safe_load(block)
    known = schemas(catalogue())
    for kind, key in (("ruletests", "tests"), ("probes", "probes"), ("rules", "groups")):
        if isinstance(data, dict) and key in data:
            jsonschema.validate(data, known[kind])
            break


def test_the_files_of_the_how_to_load_as_they_stand(tmp_path: Path) -> None:
    daemon, probes, rules, *_ = blocks(ROOT / "docs/how-to/watch-your-services.md")
    for name, text in (("watchkeeper.yaml", daemon), ("probes/shop.yaml", probes), ("rules/shop.yaml", rules)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    config = load(tmp_path / "watchkeeper.yaml", catalogue())

    assert list(config.plan.probes) == ["shop-home", "shop-api-eu", "shop-api-cn", "db-port", "db-nightly-dump"]
    assert list(config.plan.rules) == ["service-down"]


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs/README.md"
    reached = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    everything = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != index}

    assert everything <= reached


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
