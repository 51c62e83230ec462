"""What the how-to on changes of ticket systems shows is read as it stands."""

import re
from pathlib import Path

from watchkeeper.app.parts import catalogue
from watchkeeper.config.load import load
from watchkeeper.config.planned import ChangeBackend

PAGE = Path(__file__).parents[2] / "docs/how-to/read-changes.md"
PROBES = "probes: [{id: switch-1, prober: memory, service: web-shop}]\n"
SNOW = """\
itsm:
  default: snow
  backends:
    snow: {type: servicenow, url: "https://x.service-now.com", auth: {username: u, password: {env: P}}}
"""


def test_the_changes_of_the_how_to_load_as_they_stand(tmp_path: Path) -> None:
    snow, jira = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "probes.yaml").write_text(PROBES)
    read = []
    for text in (f"{SNOW}{snow}", f"services: {{web-shop: {{}}}}\n{jira}"):
        (tmp_path / "watchkeeper.yaml").write_text(f"probe_files: [probes.yaml]\n{text}")
        read.append(load(tmp_path / "watchkeeper.yaml", catalogue()).planned.change_backends)

    assert read == [(ChangeBackend("snow", 120_000),), (ChangeBackend("jira", 120_000),)]
