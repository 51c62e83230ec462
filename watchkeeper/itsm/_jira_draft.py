"""What is sent for a new ticket, and for one whose impact or urgency changes."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.domain.rule import Level, priority
from watchkeeper.domain.ticket import TicketChange, TicketDraft
from watchkeeper.itsm import _jira_text as text
from watchkeeper.itsm._jira_fields import Form, FormField
from watchkeeper.itsm._jira_options import Options
from watchkeeper.itsm._jira_record import PROPERTY, Record, property_of
from watchkeeper.itsm._jira_site import IssueType
from watchkeeper.itsm.base import Unavailable

MOST_PRIORITIES = 5


def new_issue(
    options: Options, draft: TicketDraft, issue_type: IssueType, *, cloud: bool
) -> tuple[dict[str, Any], list[str]]:
    """The body of the one call that creates a ticket; and in words what it leaves out, for want of a field or choice.

    The key goes with it twice: as a label, which searches find, and as a property, which nobody changes by chance.

    Raises:
        Unavailable: the form has no labels, so that the ticket would not be found again.
    """
    form = issue_type.form
    if "labels" not in form.fields:
        raise Unavailable(
            f"the create screen of {issue_type.name} in {options.project} has no labels, by which tickets are found: "
            "add the field Labels to it"
        )
    fields: dict[str, Any] = {
        "project": {"key": options.project},
        "issuetype": {"id": issue_type.id},
        "summary": text.title(draft.title),
        "labels": list(dict.fromkeys([draft.key, *options.labels])),
    }
    if "description" in form.fields:
        fields["description"] = text.body(draft.description, cloud=cloud)
    own, left_out = level_fields(options, form, draft.impact, draft.urgency, cloud=cloud)
    configured, others = form.filled(options.fields_of(draft), cloud=cloud)
    body = {
        "fields": {**own, **configured, **fields},
        "properties": [{"key": PROPERTY, "value": property_of(draft)}],
    }
    return body, [*left_out, *others]


def changed_levels(record: Record, change: TicketChange) -> tuple[Level, Level] | None:
    """The impact and urgency that a ticket is to have, `None` if it is to keep them."""
    if change.impact is None and change.urgency is None:
        return None
    impact = change.impact or record.level("impact") or Level.MEDIUM
    urgency = change.urgency or record.level("urgency") or Level.MEDIUM
    known = record.level("impact"), record.level("urgency")
    return None if (impact, urgency) == known else (impact, urgency)


def level_fields(
    options: Options, form: Form, impact: Level, urgency: Level, *, cloud: bool
) -> tuple[dict[str, Any], list[str]]:
    """The fields of a form that say how much it matters, and in words what can not be said."""
    wanted: dict[str, Any] = {}
    for field, level in ((options.impact, impact), (options.urgency, urgency)):
        if field is not None:
            wanted[field.field] = field.value(level)
    values, left_out = form.filled(wanted, cloud=cloud)
    urgencies = form.fields.get("priority")
    if urgencies is None:
        left_out += ["there is no field priority on its screen"] if options.priority else []
    elif (chosen := _priority(options.priority, urgencies, priority(impact, urgency))) is not None:
        values["priority"] = {"id": str(chosen["id"])}
    elif urgencies.allowed:
        left_out.append(f"there is no priority like that: there is {', '.join(urgencies.choices)}")
    return values, left_out


def _priority(names: Mapping[int, str], field: FormField, level: int) -> Mapping[str, Any] | None:
    """By its id: names are not taken everywhere, and each project has priorities of its own."""
    if level in names:
        return field.choice(names[level])
    allowed = field.allowed or ()
    return allowed[(level - 1) * len(allowed) // MOST_PRIORITIES] if allowed else None
