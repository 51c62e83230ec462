"""A site as its administrators have set it up: two projects, alike in nothing that a client might take for granted.

OPS is a software project (types Task and Bug, three statuses, no forms), ITSM a service desk (types [System] Incident
and [System] Problem, a workflow with forms, priorities of its own). Tests change what they want to be otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulators.jira_model import (
    Deployment,
    Field,
    Kind,
    LinkType,
    Named,
    Project,
    Refusal,
    RequestType,
    Screen,
    User,
)
from tests.simulators.jira_workflow import INCIDENTS, SIMPLIFIED, Status

PERMISSIONS = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "ADD_COMMENTS",
    "LINK_ISSUES",
    "ASSIGN_ISSUES",
    "DELETE_ISSUES",
    "MOVE_ISSUES",
    "SERVICEDESK_AGENT",
)

USERS = (
    User("bot", "712020:b07b07b0-0000-4000-8000-000000000001", "bot@example.com", "Watchkeeper"),
    User("alice", "712020:a11ce000-0000-4000-8000-000000000002", "alice@example.com", "Alice Agent"),
    User("bob", "712020:b0b00000-0000-4000-8000-000000000003", "bob@example.com", "Bob Builder", "Asia/Tokyo"),
    User(
        *("carl", "qm:ca410000-0000-4000-8000-000000000004", "carl@example.com", "Carl Customer"),
        agent=False,
        roles=(),
    ),
)

FIELDS = (
    Field("summary", "Summary", Kind.STRING),
    Field("description", "Description", Kind.TEXT),
    Field("issuetype", "Issue Type", Kind.ISSUE_TYPE),
    Field("project", "Project", Kind.PROJECT),
    Field("priority", "Priority", Kind.PRIORITY),
    Field("labels", "Labels", Kind.LABELS),
    Field("assignee", "Assignee", Kind.USER),
    Field("reporter", "Reporter", Kind.USER),
    Field("creator", "Creator", Kind.USER),
    Field("status", "Status", Kind.STATUS),
    Field("resolution", "Resolution", Kind.RESOLUTION),
    Field("created", "Created", Kind.TIME),
    Field("updated", "Updated", Kind.TIME),
    Field("resolutiondate", "Resolved", Kind.TIME),
    Field("issuelinks", "Linked Issues", Kind.LINKS),
    Field("comment", "Comment", Kind.COMMENTS),
    Field("customfield_10010", "Request Type", Kind.REQUEST_TYPE),
    Field("customfield_10041", "Dedupe key", Kind.STRING),
    Field(
        *("customfield_10042", "Impact", Kind.OPTION),
        options={"10100": "Extensive / Widespread", "10101": "Moderate / Limited", "10102": "Minor / Localized"},
    ),
    Field(
        *("customfield_10043", "Urgency", Kind.OPTION),
        options={"10110": "Critical", "10111": "High", "10112": "Medium", "10113": "Low"},
    ),
    Field("customfield_10044", "Customer", Kind.STRING),
)

_SOFTWARE_PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
_DESK_PRIORITIES = {"10100": "Critical", "10101": "Major", "10102": "Minor"}
OPS_FIELDS = [
    "summary",
    "description",
    "issuetype",
    "priority",
    "labels",
    "assignee",
    "reporter",
    "customfield_10041",
]
ITSM_FIELDS = [*OPS_FIELDS, "customfield_10010", "customfield_10042", "customfield_10043"]
TASK, BUG = Named("10002", "Task"), Named("10004", "Bug")
INCIDENT, PROBLEM = Named("10020", "[System] Incident"), Named("10021", "[System] Problem")


@dataclass
class Site:
    """All that can be set up. `denied`: users, projects and permissions that they do not have there."""

    deployment: Deployment
    users: dict[str, User] = field(default_factory=lambda: {user.name: user for user in USERS})
    fields: dict[str, Field] = field(default_factory=lambda: {each.id: each for each in FIELDS})
    projects: dict[str, Project] = field(default_factory=dict)
    priorities: dict[str, Named] = field(
        default_factory=lambda: {
            **{id_: Named(id_, name) for id_, name in zip("12345", _SOFTWARE_PRIORITIES, strict=True)},
            **{id_: Named(id_, name) for id_, name in _DESK_PRIORITIES.items()},
        }
    )
    """The most urgent first."""
    resolutions: dict[str, Named] = field(
        default_factory=lambda: {
            "10000": Named("10000", "Done"),
            "10001": Named("10001", "Won't Do"),
            "10002": Named("10002", "Duplicate"),
        }
    )
    link_types: list[LinkType] = field(
        default_factory=lambda: [
            LinkType("10000", "Blocks", "is blocked by", "blocks"),
            LinkType("10001", "Cloners", "is cloned by", "clones"),
            LinkType("10002", "Duplicate", "is duplicated by", "duplicates"),
            LinkType("10003", "Relates", "relates to", "relates to"),
            LinkType("10004", "Problem/Incident", "is caused by", "causes"),
        ]
    )
    request_types: list[RequestType] = field(
        default_factory=lambda: [
            RequestType("25", "Report a system problem", "ITSM", INCIDENT.id, ("summary", "description", "priority")),
            RequestType("26", "Get IT help", "ITSM", INCIDENT.id, ("summary", "description")),
        ]
    )
    indexed_properties: set[str] = field(default_factory=set)
    """Entity properties that an app has declared for JQL, as "watchkeeper.key". A plain client declares none."""
    denied: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def is_cloud(self) -> bool:
        return self.deployment == "cloud"

    def deny(self, user: str, project: str, *permissions: str) -> None:
        """Takes permissions away; BROWSE_PROJECTS hides the project."""
        self.denied.update((user, project, permission) for permission in permissions)

    def grant(self, user: str, project: str, *permissions: str) -> None:
        self.denied.difference_update({(user, project, permission) for permission in permissions})

    def take_off_screen(self, project: str, field_id: str) -> None:
        """The field is in no form of the project any more."""
        for screen in self.screens(project):
            if field_id in screen.fields:
                screen.fields.remove(field_id)

    def require(self, project: str, field_id: str) -> None:
        """Nothing can be created in the project without this field."""
        for screen in self.projects[project].create.values():
            screen.required.append(field_id)
            if field_id not in screen.fields:
                screen.fields.append(field_id)

    def screens(self, project: str) -> Iterator[Screen]:
        for screens in (self.projects[project].create, self.projects[project].edit):
            yield from screens.values()

    def allows(self, user: User | None, project: str, permission: str) -> bool:
        """Whether somebody may do something. Nobody in particular may nothing; customers may only browse."""
        if user is None or (user.name, project, permission) in self.denied:
            return False
        return user.agent or permission == "BROWSE_PROJECTS"

    def visible(self, user: User | None) -> list[Project]:
        """The projects that somebody can browse."""
        return [each for each in self.projects.values() if self.allows(user, each.key, "BROWSE_PROJECTS")]

    def project(self, user: User | None, id_or_key: str) -> Project:
        """Raises Refusal (404) when there is none, or it is hidden from them."""
        for project in self.visible(user):
            if id_or_key in (project.id, project.key):
                return project
        raise Refusal(404, f"No project could be found with key '{id_or_key}'.")

    def identity(self, user: User) -> str:
        """What the deployment knows users by: accountId on Cloud, name on Data Center."""
        return user.account_id if self.is_cloud else user.name

    def user_by_id(self, identity: str) -> User | None:
        return next((user for user in self.users.values() if identity == self.identity(user)), None)

    def issue_types(self) -> list[Named]:
        return list({each.id: each for project in self.projects.values() for each in project.issue_types}.values())

    def statuses(self) -> list[Status]:
        return list(
            {each.id: each for project in self.projects.values() for each in project.workflow.statuses}.values()
        )


def made_site(deployment: Deployment) -> Site:
    """The site that tests begin with."""
    ops = Project("10000", "OPS", "Operations", SIMPLIFIED, (TASK, BUG), ("3", "1", "2", "4", "5"))
    itsm = Project(
        *(
            "10001",
            "ITSM",
            "IT Service Management",
            INCIDENTS,
            (INCIDENT, PROBLEM),
            tuple(reversed(_DESK_PRIORITIES)),
        ),
        service_desk=True,
    )
    for project, fields in ((ops, OPS_FIELDS), (itsm, ITSM_FIELDS)):
        for issue_type in project.issue_types:
            project.create[issue_type.id] = Screen([*fields, "issuelinks"])
            project.edit[issue_type.id] = Screen([*fields, "issuelinks", "comment"])
    return Site(deployment, projects={project.key: project for project in (ops, itsm)})
