"""What is configured of the changes of a Jira."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from watchkeeper.schema.base import Model

Name = Annotated[str, Field(min_length=1)]


class ChangeOptions(Model):
    """Issues that are changes, such as those of Jira Service Management."""

    project: str = ""
    """Key of their project. Empty: that of the tickets."""
    issue_type: Name = "Change"
    """Their type."""
    start_field: str = ""
    """The field that says when they begin, by name or id: a date with a time. Empty: Planned start, or else Planned
    start date or Change start date."""
    end_field: str = ""
    """Likewise when they end. Empty: Planned end, or else Planned end date or Change completion date."""
    about_fields: Sequence[Name] = ("Affected services",)
    """Fields that name the services or configuration items that they are about, beside components and labels. Those
    that there are not are left out."""
    approved: Sequence[Name] = ("Approved", "Awaiting implementation", "Scheduled", "Ready for implementation")
    """Names of the statuses of changes that are approved and not yet begun."""
    under_way: Sequence[Name] = ("Implementing", "Implementation", "In progress", "Work in progress")
    """Likewise of those that are under way. Of other statuses that are not done nothing is approved."""
    cancelled: Sequence[Name] = ("Rejected", "Withdrawn")
    """Statuses and resolutions of changes that are not made after all, beside `states: cancelled`."""
    failed: Sequence[Name] = ("Failed", "Unsuccessful", "Rolled back")
    """Statuses and resolutions of changes that failed. Others that are done are successful."""
    with_issues: Sequence[Name] = ("Completed with issues", "Successful with issues")
    """Likewise of those that were made with difficulties."""
