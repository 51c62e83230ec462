"""What clients ask to be written: bodies of create, edit, transition and comment, checked as Jira checks them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.simulators.jira_fields import NOT_ON_SCREEN, FieldError, Reader
from tests.simulators.jira_model import Comment, Issue, Kind, Project, Refusal, User
from tests.simulators.jira_tracker import INTERNAL, Tracker
from tests.simulators.jira_workflow import Transition

LONGEST_KEY, LARGEST_PROPERTY = 255, 32_768
INVALID = "Invalid request payload. Refer to the REST API documentation and try again."
Json = Mapping[str, Any]


@dataclass
class _Draft:
    """What one body asks for, read but not done yet."""

    values: dict[str, Any]
    errors: dict[str, str]
    comments: list[tuple[Any, dict[str, Any]]]
    links: list[tuple[str, Issue, bool]]
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writes:
    """What one user writes. Everything raises Refusal, and has done nothing then."""

    tracker: Tracker
    user: User
    reader: Reader

    def create(self, body: Json) -> Issue:
        self._known(body, ("fields", "update", "properties", "transition", "historyMetadata"), "IssueUpdateBean")
        fields = dict(_mapping(body, "fields"))
        project = self._project(fields.pop("project", None))
        self.need(project.key, "CREATE_ISSUES", "You do not have permission to create issues in this project.")
        issue_type = self._issue_type(project, fields.pop("issuetype", None))
        screen = project.create[issue_type]
        draft = self._read({**body, "fields": fields}, project, screen.fields)
        for required in screen.required:
            if not draft.values.get(required) and required not in draft.errors:
                name = self.tracker.site.fields[required].name
                draft.errors[required] = (
                    "You must specify a summary of the issue." if required == "summary" else f"{name} is required."
                )
        self._refuse(draft.errors)
        transition = self._first_transition(project, body)
        issue = self.tracker.add(self.user.name, project, {**draft.values, "issuetype": issue_type})
        self._finish(issue, draft)
        if transition is not None:
            self.tracker.pass_through(self.user.name, issue, transition, {})
        return issue

    def edit(self, issue: Issue, body: Json) -> None:
        self._known(body, ("fields", "update", "properties", "historyMetadata"), "IssueUpdateBean")
        self.need(issue.project, "EDIT_ISSUES", "You do not have permission to edit issues in this project.")
        project = self.tracker.site.projects[issue.project]
        draft = self._read(body, project, project.edit[issue.values["issuetype"]].fields, issue)
        if "summary" in draft.values and not draft.values["summary"]:
            draft.errors.setdefault("summary", "You must specify a summary of the issue.")
        self._refuse(draft.errors)
        self.tracker.set(self.user.name, issue, draft.values)
        self._finish(issue, draft)

    def transitions(self, issue: Issue) -> list[Transition]:
        """Those that the user can choose from. Without the permission there are none, which is no error."""
        site = self.tracker.site
        if not site.allows(self.user, issue.project, "TRANSITION_ISSUES"):
            return []
        return site.projects[issue.project].workflow.available(issue.values["status"])

    def transition(self, issue: Issue, body: Json) -> None:
        self._known(
            body, ("transition", "fields", "update", "properties", "historyMetadata", "looped"), "IssueUpdateBean"
        )
        wanted = str(_mapping(body, "transition").get("id", ""))
        if not wanted:
            raise Refusal(400, "Missing 'transition' identifier")
        chosen = next((each for each in self.transitions(issue) if each.id == wanted), None)
        if chosen is None:
            raise Refusal(400, self._no_transition(issue, wanted))
        on_screen = [] if chosen.screen is None else [*chosen.screen, "comment"]
        project = self.tracker.site.projects[issue.project]
        draft = self._read(body, project, on_screen, issue)
        for required in chosen.required:
            if not draft.values.get(required) and required not in draft.errors:
                draft.errors[required] = f"{self.tracker.site.fields[required].name} is required."
        self._refuse(draft.errors)
        self.tracker.pass_through(self.user.name, issue, chosen, draft.values)
        self._finish(issue, draft)

    def comment(self, issue: Issue, body: Json) -> Comment:
        """A comment by the platform's API: customers read it unless a property says that it is internal."""
        text, given = self._read_comment(issue.project, body)
        return self.tracker.comment(self.user.name, issue, text, **given)

    def change_comment(self, issue: Issue, comment: Comment, body: Json) -> None:
        self.need(issue.project, "ADD_COMMENTS", "You do not have the permission to edit this comment.")
        comment.body = self._comment_text(body.get("body"))
        comment.properties.update(self._properties(body.get("properties")))
        comment.updated_ms = self.tracker.clock()
        self.tracker.touched(issue)

    def set_property(self, issue: Issue, key: str, raw: bytes) -> bool:
        """An issue's entity property. Returns whether it is new."""
        self.need(issue.project, "EDIT_ISSUES", "You do not have permission to edit issues in this project.")
        value = self.property_value(key, raw)
        new = key not in issue.properties
        issue.properties[key] = value
        self.tracker.touched(issue)
        return new

    def property_value(self, key: str, raw: bytes) -> Any:
        try:
            value = json.loads(raw)
        except ValueError:
            raise Refusal(400, "The property value must be a valid, non-empty JSON conforming to RFC-4627.") from None
        self._check_property(key, value)
        return value

    def link(self, body: Json) -> None:
        """POST /issueLink: from the inward issue to the outward one."""
        wanted = _mapping(body, "type")
        link_type = next(
            (
                each
                for each in self.tracker.site.link_types
                if wanted.get("name") == each.name or wanted.get("id") == each.id
            ),
            None,
        )
        if link_type is None:
            raise Refusal(404, f"No issue link type with name '{wanted.get('name', wanted.get('id'))}' found.")
        source, target = (self._linked(_mapping(body, end)) for end in ("inwardIssue", "outwardIssue"))
        for end in (source, target):
            self.need(end.project, "LINK_ISSUES", "You do not have the permission to link issues in this project.")
        if source is target:
            raise Refusal(400, "You cannot link an issue to itself.")
        said = _mapping(body, "comment")
        text = self._comment_text(said.get("body")) if said else None
        self.tracker.link(link_type, source, target)
        if text is not None:
            self.tracker.comment(self.user.name, source, text)

    def remote_link(self, issue: Issue, body: Json) -> tuple[str, bool]:
        """Its id, and whether it is new."""
        self.need(issue.project, "LINK_ISSUES", "You do not have permission to create remote issue links.")
        shown = _mapping(body, "object")
        self._refuse({each: f"'{each}' is required." for each in ("url", "title") if not shown.get(each)})
        if len(str(body.get("globalId") or "")) > LONGEST_KEY:
            raise Refusal(400, errors={"globalId": "The globalId may not exceed 255 characters."})
        return self.tracker.remote_link(issue, body)

    def need(self, project: str, permission: str, message: str) -> None:
        if not self.tracker.site.allows(self.user, project, permission):
            raise Refusal(403, message)

    # What bodies hold

    def _read(self, body: Json, project: Project, on_screen: Sequence[str], issue: Issue | None = None) -> _Draft:
        draft = _Draft({}, {}, [], [], self._properties(body.get("properties")))
        fields, update = _mapping(body, "fields"), _mapping(body, "update")
        for name, raw in fields.items():
            if name in update:
                draft.errors[name] = f"Field '{name}' cannot be both in 'fields' and in 'update'."
            elif self._may(name, on_screen, draft):
                self._try(draft, name, partial(self.reader.value, self._field(name), project, raw))
        for name, operations in update.items():
            if self._may(name, on_screen, draft):
                kept = list(issue.labels) if issue is not None else []
                for operation in operations if isinstance(operations, list) else [operations]:
                    self._operate(draft, project, name, operation, kept)
        return draft

    def _field(self, name: str) -> Any:
        return self.tracker.site.fields[name]

    def _may(self, name: str, on_screen: Sequence[str], draft: _Draft) -> bool:
        if name in on_screen and name in self.tracker.site.fields:
            return True
        draft.errors[name] = NOT_ON_SCREEN.format(name)
        return False

    def _try(self, draft: _Draft, name: str, read: Callable[[], Any]) -> None:
        try:
            draft.values[name] = read()
        except FieldError as error:
            draft.errors[name] = str(error)

    def _operate(self, draft: _Draft, project: Project, name: str, operation: Any, kept: list[str]) -> None:
        """One of update's operations, as {"add": value}. `kept`: the labels so far."""
        if not isinstance(operation, dict) or len(operation) != 1:
            raise Refusal(400, INVALID)
        ((verb, raw),) = operation.items()
        kind = self._field(name).kind
        if kind is Kind.COMMENTS and verb == "add":
            draft.comments.append(self._read_comment(project.key, raw))
        elif kind is Kind.LINKS and verb == "add":
            draft.links += [self._drafted_link(raw)]
        elif kind is Kind.LABELS and verb in ("add", "remove"):

            def changed() -> list[str]:
                label = self.reader.label(raw)
                if verb == "remove":
                    kept[:] = [each for each in kept if each != label]
                elif label not in kept:
                    kept.append(label)
                return list(kept)

            self._try(draft, name, changed)
        elif verb == "set":
            self._try(draft, name, lambda: self.reader.value(self._field(name), project, raw))
            if kind is Kind.LABELS:
                kept[:] = draft.values.get(name, kept)
        else:
            draft.errors[name] = f"Field does not support update '{name}'"

    def _drafted_link(self, raw: Any) -> tuple[str, Issue, bool]:
        wanted = _mapping(raw, "type").get("name")
        if wanted not in [each.name for each in self.tracker.site.link_types]:
            raise Refusal(400, errors={"issuelinks": f"No issue link type with name '{wanted}' found."})
        outward = "outwardIssue" in raw
        return wanted, self._linked(_mapping(raw, "outwardIssue" if outward else "inwardIssue")), outward

    def _finish(self, issue: Issue, draft: _Draft) -> None:
        for text, given in draft.comments:
            self.tracker.comment(self.user.name, issue, text, **given)
        for name, other, outward in draft.links:
            link_type = next(each for each in self.tracker.site.link_types if each.name == name)
            self.tracker.link(link_type, *((issue, other) if outward else (other, issue)))
        if draft.properties:
            issue.properties.update(draft.properties)
            self.tracker.touched(issue)

    def _properties(self, given: Any) -> dict[str, Any]:
        if not isinstance(given or [], list):
            raise Refusal(400, INVALID)
        for each in given or []:
            if not isinstance(each, dict) or set(each) != {"key", "value"} or not isinstance(each["key"], str):
                raise Refusal(400, INVALID)
            self._check_property(each["key"], each["value"])
        return {each["key"]: each["value"] for each in given or []}

    def _check_property(self, key: str, value: Any) -> None:
        if len(key) > LONGEST_KEY:
            raise Refusal(400, f"The property key cannot be longer than {LONGEST_KEY} characters.")
        if len(json.dumps(value, ensure_ascii=False).encode()) > LARGEST_PROPERTY:
            raise Refusal(400, f"The property value cannot be larger than {LARGEST_PROPERTY} bytes.")

    def _project(self, raw: Any) -> Project:
        wanted = raw.get("id", raw.get("key")) if isinstance(raw, dict) else None
        try:
            return self.tracker.site.project(self.user, str(wanted))
        except Refusal:
            raise Refusal(400, errors={"project": "valid project is required"}) from None

    def _issue_type(self, project: Project, raw: Any) -> str:
        for each in project.issue_types if isinstance(raw, dict) else ():
            if str(raw.get("id")) == each.id or ("id" not in raw and raw.get("name") == each.name):
                return each.id
        on_cloud = "Specify a valid issue type"
        raise Refusal(
            400, errors={"issuetype": on_cloud if self.tracker.site.is_cloud else "valid issue type is required"}
        )

    def _first_transition(self, project: Project, body: Json) -> Transition | None:
        """The one that a new issue shall go through at once."""
        if not body.get("transition"):
            return None
        wanted = str(_mapping(body, "transition").get("id", ""))
        for transition in project.workflow.available(project.workflow.statuses[0].id):
            if transition.id == wanted and not transition.required:
                return transition
        raise Refusal(400, f"Transition id '{wanted}' is not valid for this issue.")

    def _read_comment(self, project: str, body: Json) -> tuple[Any, dict[str, Any]]:
        """Its text, and what the tracker is to be given with it."""
        self.need(project, "ADD_COMMENTS", "You do not have the permission to comment on this issue.")
        if not isinstance(body, dict):
            raise Refusal(400, INVALID)
        text = self._comment_text(body.get("body"))
        properties = self._properties(body.get("properties"))
        internal = isinstance(properties.get(INTERNAL), dict) and properties[INTERNAL].get("internal") is True
        visibility = body.get("visibility")
        if visibility is not None:
            self._check_visibility(visibility)
        public = not internal and visibility is None
        return text, {"public": public, "visibility": visibility, "properties": properties}

    def _comment_text(self, raw: Any) -> Any:
        if not raw:
            raise Refusal(400, errors={"comment": "Comment body can not be empty!"})
        try:
            return self.reader.text(raw)
        except FieldError as error:
            said = str(error) if "too long" in str(error) else "Comment body is not valid!"
            raise Refusal(400, errors={"comment": said}) from None

    def _check_visibility(self, visibility: Any) -> None:
        named = visibility.get("value", visibility.get("identifier")) if isinstance(visibility, dict) else None
        if named not in self.user.roles:
            raise Refusal(400, errors={"commentLevel": f"You are not in the role or group '{named}'."})

    def _linked(self, end: Json) -> Issue:
        try:
            return self.tracker.find(self.user, str(end.get("id", end.get("key", ""))))
        except Refusal:
            raise Refusal(404, "Issue does not exist or you do not have permission to see it.") from None

    def _no_transition(self, issue: Issue, wanted: str) -> str:
        for transition in self.tracker.site.projects[issue.project].workflow.transitions:
            if transition.id == wanted:
                return (
                    f"It seems that you have tried to perform a workflow operation ({transition.name}) that is not "
                    f"valid for the current state of this issue ({issue.key}). The likely cause is that somebody has "
                    "changed the issue recently, please look at the issue history for details."
                )
        return f"Transition id '{wanted}' is not valid for this issue."

    def _known(self, body: Json, names: Iterable[str], bean: str) -> None:
        for name in body:
            if name not in names:
                if self.tracker.site.is_cloud:
                    raise Refusal(400, INVALID)
                raise Refusal(
                    400,
                    f'Unrecognized field "{name}" (Class com.atlassian.jira.rest.v2.issue.{bean}), '
                    "not marked as ignorable",
                )

    def _refuse(self, errors: Mapping[str, str]) -> None:
        if errors:
            raise Refusal(400, errors=errors)


def texts(body: Json, name: str) -> list[str]:
    """A member that is a list of texts, or nothing."""
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Refusal(400, INVALID)
    return given


def _mapping(body: Any, name: str) -> Mapping[str, Any]:
    """An object's member that is an object too, or nothing."""
    given = body.get(name) if isinstance(body, dict) else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refusal(400, INVALID)
    return given
