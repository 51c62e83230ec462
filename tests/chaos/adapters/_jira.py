"""The simulated Jira, whichever deployment it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.adapters import Act, Found
from tests.chaos.adapters._clock import WallClock
from tests.chaos.adapters._notes import note_of
from tests.chaos.mischief import CERTAIN_AFTER_S, TIMEOUT_S, USUAL, Mischief
from tests.simulators.http import Request, serving
from tests.simulators.jira import Jira
from tests.simulators.jira_faults import (
    COMMITS_AND_SAYS_GATEWAY_504,
    COMMITS_AND_SAYS_NOTHING,
    SAYS_409,
    THROTTLES_SILENTLY,
)
from tests.simulators.jira_model import Deployment, Issue
from watchkeeper.domain.ticket import TicketState

FAULTS: Final = (
    *USUAL,
    SAYS_409,
    THROTTLES_SILENTLY,
    COMMITS_AND_SAYS_NOTHING,
    COMMITS_AND_SAYS_GATEWAY_504,
)
ACTS: Final = (Act.ASSIGN, Act.RESOLVE, Act.CANCEL, Act.REOPEN, Act.COMMENT)
LAG_S: Final = 1.5  # until a search learns of a write
_STATES: Final = {"To Do": TicketState.OPEN, "In Progress": TicketState.IN_PROGRESS, "Done": TicketState.RESOLVED}
_CANCELLED: Final = "Won't Do"


class JiraDesk:
    has_wire = True

    def __init__(self, jira: Jira, secret: Path) -> None:
        self._jira = jira
        self._secret = secret
        self._alice = jira.person("alice")

    def settings(self) -> str:
        name = "token" if self._jira.site.is_cloud else "password"
        return (
            f"{{type: jira, url: '{self._jira.url}', timeout: {TIMEOUT_S:g}s, sync: 1s, reopen_after: 2s, "
            f"certain_after: {CERTAIN_AFTER_S * 1000:.0f}ms, index_lag: {LAG_S * 1000 + 100:.0f}ms, "
            f"auth: {{username: '{self._jira.login[0]}', {name}: {{file: '{self._secret}'}}}}, "
            "project: OPS, issue_type: Task}"
        )

    def tickets(self) -> list[Found]:
        with self._jira.lock:
            return [
                Found(
                    ref=issue.key,
                    key=next(label for label in issue.labels if label.startswith("wk-")),
                    state=self._state(issue.values),
                    notes=tuple(map(note_of, self._jira.notes(issue.key))),
                    assignee=issue.values.get("assignee") or "",
                    links=tuple(self._links(issue)),
                )
                for issue in self._jira.tracker.issues.values()
            ]

    def act(self, act: Act, ref: str, text: str) -> bool:
        with self._jira.lock:
            is_over = not self._jira.is_open(self._jira.issue(ref))
            if is_over is not (act is Act.REOPEN) and act is not Act.COMMENT:
                return False
            match act:
                case Act.ASSIGN:
                    self._alice.edits(ref, assignee="alice")
                    self._alice.transitions(ref, "In Progress")
                case Act.RESOLVE:
                    self._alice.transitions(ref, "Done")
                case Act.CANCEL:
                    self._alice.transitions(ref, "Done", resolution="10001")
                case Act.REOPEN:
                    self._alice.transitions(ref, "In Progress")
                case _:
                    self._alice.comments(ref, text)
            return True

    def disturb(self, seconds: float) -> None:
        """Its requests are disturbed."""

    def _links(self, issue: Issue) -> Iterator[str]:
        """What it duplicates, and what causes it."""
        for link, other in self._jira.tracker.links_of(issue):
            if (link.source == issue.id) is (link.type.name == "Duplicate"):
                yield other.key

    def _state(self, values: dict[str, object]) -> TicketState:
        if values.get("resolution") == "10001":
            return TicketState.CANCELLED
        project = self._jira.site.projects["OPS"]
        return _STATES[project.workflow.status(str(values["status"])).name]


@contextmanager
def open_jira(
    deployment: Deployment, looks: Callable[[Request], bool], folder: Path, mischief: Mischief
) -> Iterator[JiraDesk]:
    """`looks`: whether a request is one with which watchkeeper looks at tickets, before it changes any."""
    clock = WallClock()
    jira = Jira(deployment, clock)
    jira.tracker.index.lag_ms = jira.tracker.index.replica_lag_ms = round(LAG_S * 1000)
    secret = folder / "secret"
    secret.write_text(jira.login[1])
    mischief.looks = looks
    with serving(jira.answer, mischief, clock=clock) as server:
        jira.server = server
        yield JiraDesk(jira, secret)
