"""Two daemons that are started on one database by mistake: one works, the other says why it does not."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from tests.chaos.adapters import servicenow
from tests.chaos.daemon import TARGETS, Daemon, incident_keys, write_configuration
from tests.chaos.mischief import Mischief
from tests.chaos.site import open_site
from tests.peers import postgres

UNREACHABLE = 3
PATIENCE_S = 30.0


@contextmanager
def state(kind: str, folder: Path) -> Iterator[str]:
    """The key `state` of a configuration."""
    if kind == "sqlite":
        yield f"state: sqlite:///{folder / 'watchkeeper.db'}\n"
        return
    with postgres.cluster().new_database() as url:
        (folder / "url").write_text(url)
        yield f"state: {{file: '{folder / 'url'}'}}\n"


def wait_until(holds: Callable[[], bool], *running: Daemon) -> None:
    give_up = monotonic() + PATIENCE_S
    while not holds():
        assert all(one.ended(0.05) is None for one in running), "it ended"
        assert monotonic() < give_up, "it did not become so in time"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_daemons_on_one_database_one_works_and_the_other_refuses(kind: str, tmp_path: Path) -> None:
    mischief = Mischief(Random(1), ())
    down = frozenset(range(0, TARGETS, 2))
    with (
        open_site(TARGETS) as site,
        servicenow.open_desk(tmp_path, mischief) as desk,
        state(kind, tmp_path) as key,
    ):
        for target in down:
            site.flip(target)
        configs = [
            write_configuration(tmp_path, site, desk.settings(), name=name, more=key)
            for name in ("one.yaml", "other.yaml")
        ]
        daemons = [Daemon(config) for config in configs]
        try:
            wait_until(lambda: any(one.ended(0.02) is not None for one in daemons))
            [works] = [one for one in daemons if one.ended(0) is None]
            [refuses] = [one for one in daemons if one is not works]
            assert refuses.ended(0) == UNREACHABLE
            assert refuses.says("another watchkeeper (")
            assert refuses.says("already runs on the database")
            assert not refuses.says("Traceback")

            wait_until(lambda: len(desk.tickets()) >= len(incident_keys(down)), works)
            # A power cut, and it is the other one's turn.
            works.kill()
            daemons.append(heir := Daemon(configs[daemons.index(refuses)]))
            wait_until(lambda: heir.worked_s > 1, heir)
            heir.stop()
            assert heir.ended(PATIENCE_S) == 0
        finally:
            for one in daemons:
                one.kill()
                one.ended(PATIENCE_S)
        counted = Counter(ticket.key for ticket in desk.tickets())
        assert set(counted.values()) == {1}
        assert len(counted) == len(incident_keys(down))
