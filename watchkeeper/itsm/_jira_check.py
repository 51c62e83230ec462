"""The self-test of a Jira: what would make calls fail, and whom to ask for what."""

from collections.abc import Iterator
from typing import Final

from watchkeeper.domain.ticket import TicketKind, TicketState
from watchkeeper.itsm._jira_api import Api
from watchkeeper.itsm._jira_fields import NotTaken
from watchkeeper.itsm._jira_issues import Issues
from watchkeeper.itsm._jira_moves import body_of, choose, no_way
from watchkeeper.itsm._jira_options import Options, plain
from watchkeeper.itsm._jira_record import state_of
from watchkeeper.itsm._jira_site import IssueType, Site
from watchkeeper.itsm.base import Denied, Finding, Outcome, Rejected

_NO_KEY: Final = "wk-no-ticket-has-this-key"
_SYSTEM: Final = "[system] "
_ALLOWED: Final = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "EDIT_ISSUES": "Edit Issues",
    "TRANSITION_ISSUES": "Transition Issues",
    "ADD_COMMENTS": "Add Comments",
    "LINK_ISSUES": "Link Issues",
}


def self_test(api: Api, site: Site, issues: Issues, options: Options) -> Iterator[Finding]:
    """What is wrong; nothing where all is well. Makes no ticket and changes none."""
    site.forget()
    try:
        site.me  # noqa: B018
        project = api.get(f"/project/{options.project}")
    except Denied as outcome:
        yield Finding(
            f"Jira does not let watchkeeper in: {outcome}. Ask the administrator whether its user is active, and "
            "may use Jira; for a token with scopes, `url` is that of Atlassian's gateway"
        )
        return
    except Rejected:
        yield Finding(
            f"there is no project {options.project}, or it is hidden from watchkeeper: give its user the permission "
            "Browse Projects there"
        )
        return
    except Outcome as outcome:
        yield Finding(f"Jira can not be asked: {outcome}. Check `url`: {options.url}")
        return
    is_desk = project.get("projectTypeKey") == "service_desk"
    for part in (
        _of_permissions(api, options, is_desk=is_desk),
        _of_types(api, site, options),
        _of_statuses(api, options),
        _of_choices(api, site, options),
        _of_search(issues),
        _of_moves(api, issues, options),
    ):
        try:
            yield from part
        except Outcome as outcome:
            yield Finding(str(outcome))


def _of_permissions(api: Api, options: Options, *, is_desk: bool) -> Iterator[Finding]:
    for each in api.lacking(options.project, list(_ALLOWED)):
        yield Finding(f"watchkeeper lacks the permission {_ALLOWED[each]} in {options.project}: give it to its user")
    if is_desk and options.internal and api.lacking(options.project, ("SERVICEDESK_AGENT",)):
        yield Finding(
            f"watchkeeper is no agent of {options.project}, so that its notes would not be internal: make its user "
            "one, or set `internal: false`"
        )


def _of_types(api: Api, site: Site, options: Options) -> Iterator[Finding]:
    seen: set[str] = set()
    for kind in TicketKind:
        try:
            issue_type = site.issue_type(kind)
        except Rejected as refusal:
            yield Finding(str(refusal))
            continue
        if issue_type.id not in seen:
            seen.add(issue_type.id)
            yield from _of_form(api, site, options, issue_type)


def _of_form(api: Api, site: Site, options: Options, issue_type: IssueType) -> Iterator[Finding]:
    """Of the fields that new tickets get, those that are not taken; of those that they must have, what is missing."""
    form, where = issue_type.form, f"{issue_type.name} in {options.project}"
    if "labels" not in form.fields:
        yield Finding(
            f"the create screen of {where} has no labels, by which tickets are found: add the field Labels to it"
        )
    wanted = options.all_fields()
    for level in (options.impact, options.urgency):
        if level is not None:
            wanted.setdefault(level.field, []).extend((level.high, level.medium, level.low))
    given = {"summary", "description", "labels", "priority"}
    for name, values in wanted.items():
        field = form.find(name)
        if field is None:
            yield Finding(f"the create screen of {where} has no field {name!r}: tickets go without it")
            continue
        given.add(field.id)
        for value in values:
            try:
                field.value(value, cloud=api.is_cloud)
            except NotTaken as reason:
                yield Finding(f"{where}: {reason}")
    if options.request_type:
        try:
            given.add(site.request_type(issue_type)[0].id)
        except Rejected as refusal:
            yield Finding(str(refusal))
    for field in form.missing(given):
        yield Finding(f"{where} can not be created without {field.name}: set {field.id} in `fields`")
    priority = form.fields.get("priority")
    for name in options.priority.values():
        if priority is None or (priority.allowed and priority.choice(name) is None):
            there = "no priorities" if priority is None else ", ".join(priority.choices)
            yield Finding(f"{where} has no priority {name!r}: it has {there}")


def _of_statuses(api: Api, options: Options) -> Iterator[Finding]:
    """Whether there is a status at all that tickets can be resolved into."""
    wanted = plain(options.issue_type).removeprefix(_SYSTEM)
    for each in api.get_list(f"/project/{options.project}/statuses"):
        if plain(str(each.get("name"))).removeprefix(_SYSTEM) != wanted:
            continue
        states = {state_of(status, None, options.states) for status in each.get("statuses") or ()}
        if not {TicketState.RESOLVED, TicketState.CLOSED} & states:
            yield Finding(
                f"{each.get('name')} in {options.project} has no status of the category Done that is not one of "
                "`states: cancelled`: tickets can not be resolved"
            )


def _of_choices(api: Api, site: Site, options: Options) -> Iterator[Finding]:
    site.link_type()
    site.duplicate_type()
    for what, name in options.finding_fields.items():
        if what not in site.finding_fields():
            yield Finding(
                f"there is no field {name!r}, in which `{what}_field` is looked for: give its name or its id"
            )
    if options.resolution:
        known = [str(each.get("name")) for each in api.get_list("/resolution")]
        if plain(options.resolution) not in map(plain, known):
            yield Finding(f"there is no resolution {options.resolution!r}: there is {', '.join(known)}")


def _of_moves(api: Api, issues: Issues, options: Options) -> Iterator[Finding]:
    """Whether a ticket of watchkeeper's own could be resolved: transitions are shown of issues alone."""
    record = issues.newest_open(options.project)
    if record is None or not record.property or record.state(options.states).is_over:
        return
    said = api.get(f"/issue/{record.id}/transitions", expand="transitions.fields").get("transitions") or []
    chosen = choose(options, said, TicketState.RESOLVED)
    if chosen is None:
        yield Finding(
            f"{record.number} can not be resolved: {no_way(options, said, TicketState.RESOLVED, record.status)}. "
            "Name one in `transitions`, or ask for a workflow that has one"
        )
        return
    try:
        body_of(options, chosen, TicketState.RESOLVED, cloud=api.is_cloud)
    except Rejected as refusal:
        yield Finding(f"{record.number} can not be resolved: {refusal}")


def _of_search(issues: Issues) -> Iterator[Finding]:
    if issues.labelled(_NO_KEY):
        yield Finding(f"a search for the label {_NO_KEY}, which no ticket has, finds tickets")
