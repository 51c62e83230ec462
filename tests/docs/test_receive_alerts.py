"""What the pages on received alerts show is true: both configurations are accepted, and every field is named."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from watchkeeper.app.parts import catalogue
from watchkeeper.config.load import load
from watchkeeper.web.events import Event
from watchkeeper.web.passive import Result

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs/how-to/receive-alerts.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
SOURCES, ALERTMANAGER = re.findall(r"^```yaml\n(.*?)^```", HOW_TO, re.DOTALL | re.MULTILINE)


def test_the_sources_load_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "watchkeeper.yaml").write_text(
        f"probe_files: []\nservices: {{platform: {{}}}}\nitsm: {{backends: {{desk: {{type: local}}}}}}\n{SOURCES}",
        encoding="utf-8",
    )

    config = load(tmp_path / "watchkeeper.yaml", catalogue())

    assert [*config.sources] == ["prometheus", "nagios", "jobs"]


def test_alertmanager_accepts_its_configuration(tmp_path: Path) -> None:
    tool = shutil.which("amtool")
    if tool is None:
        pytest.skip("Alertmanager is not installed (tests/install-peers.sh installs it)")
    file = tmp_path / "alertmanager.yml"
    file.write_text(ALERTMANAGER, encoding="utf-8")

    done = subprocess.run([tool, "check-config", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("model", "heading"), [(Result, "Passive results"), (Event, "Events")])
def test_every_field_is_in_the_reference(model: type[BaseModel], heading: str) -> None:
    section = REFERENCE.partition(f"### {heading}\n")[2].partition("\n### ")[0]
    named = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", section, re.MULTILINE))))

    assert named == set(model.model_fields)
