"""What the how-to on maintenance and changes shows is read as it stands."""

import re
from pathlib import Path

from watchkeeper.app.parts import catalogue
from watchkeeper.config.load import load
from watchkeeper.config.windows import read_change_file

PAGE = Path(__file__).parents[2] / "docs/how-to/plan-maintenance.md"
DAEMON = """\
probe_files: [probes.yaml]
services: {web-shop: {}, shop-db: {}}
"""


def test_the_maintenance_and_changes_of_the_how_to_load_as_they_stand(tmp_path: Path) -> None:
    maintenance, sources, changes = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "probes.yaml").write_text("probes: [{id: switch-1, prober: memory, service: web-shop}]\n")
    (tmp_path / "watchkeeper.yaml").write_text(DAEMON + maintenance + sources)
    (tmp_path / "changes.yaml").write_text(changes)

    planned = load(tmp_path / "watchkeeper.yaml", catalogue()).planned
    [file] = planned.change_files

    assert [one.id for one in planned.maintenance] == ["weekly-patch", "move-to-new-rack", "test-systems"]
    assert [one.name for one in planned.calendars] == ["maintenance/vendor", "cab"]
    assert [one.id for one in read_change_file(file)] == ["CHG0030001"]
