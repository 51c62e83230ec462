"""The issues of a site, and everything that can happen to them, whoever does it.

Nothing here asks for permissions or reads JSON: `jira_writes` does that for clients, `jira_people` for people.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import count
from typing import Any

from tests.simulators.jira_index import Index
from tests.simulators.jira_model import Change, Comment, Issue, Link, LinkType, Project, Refusal, User
from tests.simulators.jira_site import Site
from tests.simulators.jira_workflow import Status, Transition
from watchkeeper.domain.rule import Clock

INTERNAL = "sd.public.comment"
"""The property of a comment that keeps it from customers, as {"internal": true}."""


class Tracker:
    """`node` is who does what is done next."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self.site, self.clock, self.node = site, clock, 0
        self.index = Index()
        self.issues: dict[str, Issue] = {}
        self.links: dict[str, Link] = {}
        self._ids = count(10_100)

    def find(self, user: User | None, id_or_key: str) -> Issue:
        """By its id, its key, or a key that it had. Raises Refusal (404) when there is none, or it is hidden."""
        issue = self.issues.get(id_or_key) or self._by_key(id_or_key.upper())
        if issue is None or not self.sees(user, issue):
            message = "Issue does not exist or you do not have permission to see it."
            raise Refusal(404, message if self.site.is_cloud else "Issue Does Not Exist")
        return issue

    def sees(self, user: User | None, issue: Issue) -> bool:
        return (
            user is not None
            and self.site.allows(user, issue.project, "BROWSE_PROJECTS")
            and user.name not in issue.hidden_from
        )

    def status(self, issue: Issue) -> Status:
        return self._project(issue).workflow.status(issue.values["status"])

    def add(self, author: str, project: Project, values: Mapping[str, Any]) -> Issue:
        """A new issue. Values: by field id; what is not given gets its default."""
        project.last += 1
        now_ms = self.clock()
        defaults = {
            "issuetype": project.issue_types[0].id,
            "priority": project.priorities[0],
            "labels": [],
            "reporter": author,
        }
        fixed = {
            "creator": author,
            "status": project.workflow.statuses[0].id,
            "created": now_ms,
            "updated": now_ms,
        }
        issue = Issue(str(next(self._ids)), f"{project.key}-{project.last}", {**defaults, **values, **fixed})
        self.issues[issue.id] = issue
        self.touched(issue)
        return issue

    def set(self, author: str, issue: Issue, values: Mapping[str, Any]) -> None:
        """Changes fields, and writes that down."""
        now_ms = self.clock()
        for field, new in values.items():
            old = issue.values.get(field)
            if old != new:
                issue.history.append(Change(now_ms, author, field, old, new))
                issue.values[field] = new
        self.touched(issue)

    def pass_through(self, author: str, issue: Issue, transition: Transition, values: Mapping[str, Any]) -> None:
        """A transition, with what its post function does."""
        changed = {**values, "status": transition.to}
        if transition.resolution is not None:
            changed.setdefault("resolution", transition.resolution or None)
        resolution = changed.get("resolution", issue.values.get("resolution"))
        if resolution != issue.values.get("resolution"):
            changed["resolutiondate"] = self.clock() if resolution else None
        self.set(author, issue, changed)

    def comment(self, author: str, issue: Issue, body: Any, **given: Any) -> Comment:
        """A new comment. `given`: public, visibility, properties, as a Comment has them."""
        now_ms = self.clock()
        comment = Comment(str(next(self._ids)), author, body, now_ms, now_ms, **given)
        issue.comments.append(comment)
        self.touched(issue)
        return comment

    def link(self, link_type: LinkType, source: Issue, target: Issue) -> None:
        """As in "source causes target". A link that is there already is not made again, and nobody is told."""
        known = {(link.type.id, link.source, link.target) for link in self.links.values()}
        if (link_type.id, source.id, target.id) not in known:
            id_ = str(next(self._ids))
            self.links[id_] = Link(id_, link_type, source.id, target.id)
            for issue in (source, target):
                self.touched(issue)

    def links_of(self, issue: Issue) -> Iterator[tuple[Link, Issue]]:
        """Its links, and the issue at the other end of each."""
        for link in self.links.values():
            if issue.id in (link.source, link.target):
                yield link, self.issues[link.target if link.source == issue.id else link.source]

    def delete(self, issue: Issue) -> None:
        del self.issues[issue.id]
        self.links = {id_: link for id_, link in self.links.items() if issue.id not in (link.source, link.target)}
        self.index.forget(issue, self.clock(), self.node)

    def move(self, author: str, issue: Issue, project: Project) -> None:
        """Into another project: its key is another one then, its id is not. What does not fit there is replaced."""
        project.last += 1
        issue.old_keys.append(issue.key)
        fitting: dict[str, Any] = {}
        if issue.values["status"] not in {status.id for status in project.workflow.statuses}:
            fitting["status"] = project.workflow.statuses[0].id
        if issue.values["issuetype"] not in {each.id for each in project.issue_types}:
            fitting["issuetype"] = project.issue_types[0].id
        if issue.values["priority"] not in project.priorities:
            fitting["priority"] = project.priorities[0]
        issue.key = f"{project.key}-{project.last}"
        self.set(author, issue, fitting)

    def clone(self, author: str, issue: Issue) -> Issue:
        """As Jira's Clone: labels and all fields are copied, entity properties and comments are not."""
        values = {**deepcopy(issue.values), "summary": f"CLONE - {issue.values['summary']}", "resolution": None}
        copy = self.add(author, self._project(issue), values)
        self.link(next(each for each in self.site.link_types if each.name == "Cloners"), copy, issue)
        return copy

    def touched(self, issue: Issue) -> None:
        """The issue was changed now: searches learn of it in their time."""
        issue.values["updated"] = self.clock()
        self.index.record(issue, self.clock(), self.node)

    def remote_link(self, issue: Issue, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Adds a link to the outside, or replaces the one of the same globalId. Its id, and whether it is new."""
        known = body.get("globalId")
        for id_, link in issue.remote_links.items():
            if known is not None and link.get("globalId") == known:
                issue.remote_links[id_] = dict(body)
                return id_, False
        id_ = str(next(self._ids))
        issue.remote_links[id_] = dict(body)
        return id_, True

    def _by_key(self, key: str) -> Issue | None:
        for issue in self.issues.values():
            if key == issue.key or key in issue.old_keys:
                return issue
        return None

    def _project(self, issue: Issue) -> Project:
        return self.site.projects[issue.project]
