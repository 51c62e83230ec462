"""Issues and their parts as clients are shown them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulators.jira_adf import text_of
from tests.simulators.jira_model import Field, Issue, Kind, Link, Named, Project, show_time
from tests.simulators.jira_site import Site
from tests.simulators.jira_workflow import CATEGORIES, Category, Status


@dataclass(frozen=True, slots=True)
class Shower:
    """Shows issues and their parts. `base`: the URL of the API, which every "self" begins with."""

    site: Site
    version: str
    base: str

    def text(self, kept: Any) -> Any:
        if kept is None or not self.site.is_cloud or self.version == "3":
            return kept
        return text_of(kept)

    def plain(self, kept: Any) -> str:
        """A text as a person reads it."""
        return kept if isinstance(kept, str) else text_of(kept)

    def user(self, name: str | None) -> dict[str, Any] | None:
        if name is None:
            return None
        user = self.site.users[name]
        shown = {"displayName": user.display, "active": True, "timeZone": user.timezone, "emailAddress": user.email}
        if self.site.is_cloud:
            kind = "atlassian" if user.agent else "customer"
            query = {"self": f"{self.base}/user?accountId={user.account_id}", "accountId": user.account_id}
            return {**query, "accountType": kind, **shown}
        return {"self": f"{self.base}/user?username={user.name}", "name": user.name, "key": user.name, **shown}

    def named(self, path: str, named: Named) -> dict[str, Any]:
        return {"self": f"{self.base}/{path}/{named.id}", "id": named.id, "name": named.name, "description": ""}

    def issue_type(self, named: Named) -> dict[str, Any]:
        return {**self.named("issuetype", named), "subtask": False, "iconUrl": f"{self.base}/icons/{named.id}.svg"}

    def category(self, key: Category) -> dict[str, Any]:
        number, name, colour = CATEGORIES[key]
        shown = {"self": f"{self.base}/statuscategory/{number}", "id": number, "key": key}
        return {**shown, "colorName": colour, "name": name}

    def status(self, status: Status) -> dict[str, Any]:
        shown = self.named("status", Named(status.id, status.name))
        return {**shown, "statusCategory": self.category(status.category)}

    def project(self, project: Project) -> dict[str, Any]:
        return {
            "self": f"{self.base}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "service_desk" if project.service_desk else "software",
            "simplified": False,
        }

    def value(self, field: Field, issue: Issue) -> Any:
        """A field of an issue, links and comments excepted."""
        project = self.site.projects[issue.project]
        kept = project.key if field.kind is Kind.PROJECT else issue.values.get(field.id)
        if kept is None:
            return [] if field.kind is Kind.LABELS else None
        showing: Mapping[Kind, Callable[[Any], Any]] = {
            Kind.TEXT: self.text,
            Kind.PRIORITY: lambda id_: self.named("priority", self.site.priorities[id_]),
            Kind.RESOLUTION: lambda id_: self.named("resolution", self.site.resolutions[id_]),
            Kind.USER: self.user,
            Kind.ISSUE_TYPE: lambda id_: self.issue_type(
                next(each for each in self.site.issue_types() if each.id == id_)
            ),
            Kind.PROJECT: lambda _key: self.project(project),
            Kind.STATUS: lambda id_: self.status(project.workflow.status(id_)),
            Kind.TIME: show_time,
            Kind.OPTION: lambda id_: {
                "self": f"{self.base}/customFieldOption/{id_}",
                "value": field.options[id_],
                "id": id_,
            },
            Kind.REQUEST_TYPE: self._request_type,
            Kind.COMPONENTS: lambda names: [{"id": f"1{number}", "name": name} for number, name in enumerate(names)],
        }
        return showing.get(field.kind, lambda value: value)(kept)

    def comment(self, issue: Issue, number: int, *, properties: bool = False) -> dict[str, Any]:
        comment = issue.comments[number]
        shown: dict[str, Any] = {
            "self": f"{self.base}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": self.user(comment.author),
            "body": self.text(comment.body),
            "updateAuthor": self.user(comment.author),
            "created": show_time(comment.created_ms),
            "updated": show_time(comment.updated_ms),
        }
        if comment.visibility is not None:
            shown["visibility"] = dict(comment.visibility)
        if self.site.is_cloud:
            shown["jsdPublic"] = comment.public
        if properties:
            shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
        return shown

    def link(self, link: Link, end: str, other: Issue) -> dict[str, Any]:
        """A link as one of its ends has it: the source sees the outward issue, the target the inward one."""
        side = "outwardIssue" if link.source == end else "inwardIssue"
        fields = {name: self.value(self.site.fields[name], other) for name in ("summary", "status", "priority")}
        head = {"id": other.id, "key": other.key, "self": f"{self.base}/issue/{other.id}"}
        type_ = {
            "id": link.type.id,
            "name": link.type.name,
            "inward": link.type.inward,
            "outward": link.type.outward,
            "self": f"{self.base}/issueLinkType/{link.type.id}",
        }
        shown = {"id": link.id, "self": f"{self.base}/issueLink/{link.id}", "type": type_}
        return {**shown, side: {**head, "fields": fields}}

    def meta(self, field: Field, project: Project, *, required: bool) -> dict[str, Any]:
        """What createmeta, editmeta and a transition's fields tell of a field."""
        shown: dict[str, Any] = {
            "required": required,
            "schema": self.schema(field),
            "name": field.name,
            "key": field.id,
            "fieldId": field.id,
            "hasDefaultValue": field.id in ("priority", "reporter"),
            "operations": ["add", "set", "remove"] if field.kind in (Kind.LABELS, Kind.LINKS) else ["set"],
        }
        choices: Mapping[Kind, Callable[[], Iterable[Any]]] = {
            Kind.PRIORITY: lambda: (
                self.named("priority", self.site.priorities[id_]) for id_ in sorted(project.priorities, key=int)
            ),
            Kind.RESOLUTION: lambda: (self.named("resolution", each) for each in self.site.resolutions.values()),
            Kind.ISSUE_TYPE: lambda: (self.issue_type(each) for each in project.issue_types),
            Kind.PROJECT: lambda: (self.project(project),),
            Kind.OPTION: lambda: (
                {"self": f"{self.base}/customFieldOption/{id_}", "value": value, "id": id_}
                for id_, value in field.options.items()
            ),
        }
        if field.kind in choices:
            shown["allowedValues"] = list(choices[field.kind]())
        return shown

    def schema(self, field: Field) -> dict[str, Any]:
        types = {Kind.TEXT: "string", Kind.LABELS: "array", Kind.LINKS: "array"}
        shown: dict[str, Any] = {"type": types.get(field.kind, field.kind.value)}
        if shown["type"] == "array":
            shown["items"] = "string" if field.kind is Kind.LABELS else "issuelinks"
        if field.number is None:
            return {**shown, "system": field.id}
        return {**shown, "custom": _CUSTOM[field.kind], "customId": field.number}

    def _request_type(self, id_: str) -> dict[str, Any]:
        request_type = next(each for each in self.site.request_types if each.id == id_)
        return {"requestType": {"id": id_, "name": request_type.name}, "currentStatus": {}}


_CUSTOM = {
    Kind.STRING: "com.atlassian.jira.plugin.system.customfieldtypes:textfield",
    Kind.OPTION: "com.atlassian.jira.plugin.system.customfieldtypes:select",
    Kind.REQUEST_TYPE: "com.atlassian.servicedesk:vp-origin",
    Kind.TIME: "com.atlassian.jira.plugin.system.customfieldtypes:datetime",
    Kind.THINGS: "com.atlassian.jira.plugins.service-entity:service-entity-field-cftype",
}


def chosen_fields(site: Site, asked: Sequence[str]) -> list[Field]:
    """The fields that a list asks for: ids, *all, *navigable, and -id for all but this. Unknown ones are left out."""
    wanted: dict[str, Field] = {}
    if not asked or all(each.startswith("-") for each in asked) or {"*all", "*navigable"} & set(asked):
        wanted = dict(site.fields)
        if "*navigable" in asked:
            del wanted["comment"]
    for each in asked:
        if each in site.fields:
            wanted[each] = site.fields[each]
        elif each.startswith("-"):
            wanted.pop(each[1:], None)
    return list(wanted.values())
