"""What people do to issues by the browser, while a client is not looking."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulators.jira_adf import document_of
from tests.simulators.jira_model import Issue

if TYPE_CHECKING:
    from tests.simulators.jira import Jira


@dataclass(frozen=True)
class Person:
    """Somebody at the browser. Issues are named by key or id; nobody asks for permissions."""

    jira: "Jira"
    name: str

    def creates(self, project: str, summary: str, **values: Any) -> Issue:
        """`values`: further fields by id, as an Issue keeps them."""
        with self.jira.lock:
            return self.jira.tracker.add(self.name, self.jira.site.projects[project], {"summary": summary, **values})

    def transitions(self, key: str, status: str, resolution: str | None = None) -> None:
        """Into a status, by whichever transition leads there. Raises LookupError when there is none from here."""
        with self.jira.lock:
            issue = self.jira.issue(key)
            workflow = self.jira.site.projects[issue.project].workflow
            for transition in workflow.available(issue.values["status"]):
                if status in (transition.to, workflow.status(transition.to).name):
                    given = {"resolution": resolution or "10000"} if transition.required or resolution else {}
                    self.jira.tracker.pass_through(self.name, issue, transition, given)
                    return
        raise LookupError(f"no transition leads to {status} from here")

    def edits(self, key: str, **values: Any) -> None:
        """Fields by id: `edits(key, labels=[])`, `edits(key, assignee="alice")`."""
        with self.jira.lock:
            self.jira.tracker.set(self.name, self.jira.issue(key), values)

    def comments(self, key: str, text: str, *, public: bool = True) -> None:
        with self.jira.lock:
            body = document_of(text) if self.jira.site.is_cloud else text
            self.jira.tracker.comment(self.name, self.jira.issue(key), body, public=public)

    def links(self, source: str, type_name: str, target: str) -> None:
        """As in `links(problem, "Problem/Incident", incident)`: the first one causes the second."""
        with self.jira.lock:
            link_type = next(each for each in self.jira.site.link_types if each.name == type_name)
            self.jira.tracker.link(link_type, self.jira.issue(source), self.jira.issue(target))

    def moves(self, key: str, project: str) -> Issue:
        """Into another project: the key changes, the id does not."""
        with self.jira.lock:
            issue = self.jira.issue(key)
            self.jira.tracker.move(self.name, issue, self.jira.site.projects[project])
            return issue

    def clones(self, key: str) -> Issue:
        """With its labels, but without its entity properties."""
        with self.jira.lock:
            return self.jira.tracker.clone(self.name, self.jira.issue(key))

    def merges(self, key: str, into: str) -> None:
        """Its comments go over, and it is done as a duplicate of the other one."""
        with self.jira.lock:
            issue, kept = self.jira.issue(key), self.jira.issue(into)
            for comment in issue.comments:
                self.jira.tracker.comment(comment.author, kept, comment.body, public=comment.public)
            duplicate = next(each for each in self.jira.site.link_types if each.name == "Duplicate")
            self.jira.tracker.link(duplicate, issue, kept)
            workflow = self.jira.site.projects[issue.project].workflow
            for transition in workflow.available(issue.values["status"]):
                if workflow.status(transition.to).category == "done":
                    self.jira.tracker.pass_through(self.name, issue, transition, {"resolution": "10002"})
                    return

    def hides(self, key: str, *users: str) -> None:
        """By issue security: for these users it does not exist any more."""
        with self.jira.lock:
            issue = self.jira.issue(key)
            issue.hidden_from.update(users)
            self.jira.tracker.touched(issue)

    def deletes(self, key: str) -> None:
        with self.jira.lock:
            self.jira.tracker.delete(self.jira.issue(key))
