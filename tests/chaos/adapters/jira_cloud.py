"""The simulated Jira Cloud, whose searches learn of writes later."""

from contextlib import AbstractContextManager
from pathlib import Path

from tests.chaos.adapters import _jira
from tests.chaos.mischief import Mischief
from tests.simulators.http import Request

FAULTS, ACTS = _jira.FAULTS, _jira.ACTS


def _looks(request: Request) -> bool:
    return request.path.endswith(("/issue/bulkfetch", "/search/jql"))


def open_desk(folder: Path, mischief: Mischief) -> AbstractContextManager[_jira.JiraDesk]:
    return _jira.open_jira("cloud", _looks, folder, mischief)
