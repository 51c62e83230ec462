"""The simulated Jira Data Center, whose searches learn of writes later."""

from contextlib import AbstractContextManager
from pathlib import Path

from tests.chaos.adapters import _jira
from tests.chaos.mischief import Mischief
from tests.simulators.http import Request

FAULTS, ACTS = _jira.FAULTS, _jira.ACTS


def _looks(request: Request) -> bool:
    """Few tickets are read one by one, which also comes before a change: only a search is a look for certain."""
    return request.path.endswith("/search")


def open_desk(folder: Path, mischief: Mischief) -> AbstractContextManager[_jira.JiraDesk]:
    return _jira.open_jira("server", _looks, folder, mischief)
