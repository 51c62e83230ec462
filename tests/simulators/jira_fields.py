"""Fields as clients send them, read into an issue's values.

Version 3 of the API has documents (ADF) for text, version 2 wiki markup; Cloud keeps documents whoever wrote them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulators.jira_adf import document_of, is_document, is_valid, text_of
from tests.simulators.jira_model import Field, Kind, Named, Project, Refusal
from tests.simulators.jira_site import Site

LONGEST_TEXT = 32_767
NOT_ON_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."


class FieldError(Exception):
    """What is wrong with a field's value: Jira's message."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what clients send. Its methods raise FieldError.

    `names_priorities`: whether a priority may be given by name; the gateway for OAuth has been seen to refuse that.
    """

    site: Site
    version: str
    names_priorities: bool = True

    def text(self, raw: Any) -> Any:
        """A text of a description or a comment, as it is kept."""
        if self.version == "3":
            if not is_document(raw):
                raise FieldError("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
            if not is_valid(raw):
                raise Refusal(400, "INVALID_INPUT")
            plain = text_of(raw)
        elif not isinstance(raw, str):
            raise FieldError("Operation value must be a string")
        else:
            plain = raw
        if len(plain) > LONGEST_TEXT:
            raise FieldError("The entered text is too long. It exceeds the allowed limit of 32,767 characters.")
        return document_of(raw) if self.site.is_cloud and self.version == "2" else raw

    def value(self, field: Field, project: Project, raw: Any) -> Any:
        """A field's value as it is kept."""
        reading: Mapping[Kind, Callable[[Field, Project, Any], Any]] = {
            Kind.STRING: self._string,
            Kind.TEXT: lambda _field, _project, given: None if given is None else self.text(given),
            Kind.LABELS: self._labels,
            Kind.PRIORITY: self._priority,
            Kind.RESOLUTION: self._resolution,
            Kind.USER: self._user,
            Kind.OPTION: self._option,
            Kind.REQUEST_TYPE: self._request_type,
        }
        if field.kind not in reading:
            raise FieldError(NOT_ON_SCREEN.format(field.id))
        return reading[field.kind](field, project, raw)

    def label(self, raw: Any) -> str:
        if not isinstance(raw, str):
            raise FieldError("Operation value must be a string")
        if not raw or any(character.isspace() for character in raw):
            raise FieldError(f"The label '{raw}' contains spaces which is invalid.")
        if len(raw) > 255:
            raise FieldError(f"The label '{raw}' exceeds the maximum length of 255 characters.")
        return raw

    def _string(self, field: Field, _project: Project, raw: Any) -> str | None:
        if raw is None and field.id != "summary":
            return None
        if not isinstance(raw, str):
            raise FieldError("Operation value must be a string")
        if field.id == "summary":
            if not raw.strip():
                raise FieldError("You must specify a summary of the issue.")
            if "\n" in raw or "\r" in raw:
                raise FieldError("The summary is invalid because it contains newline characters.")
            if len(raw) > 255:
                raise FieldError("Summary can't exceed 255 characters.")
        elif len(raw) > 255:
            raise FieldError("The entered text is too long. It exceeds the allowed limit of 255 characters.")
        return raw

    def _labels(self, _field: Field, _project: Project, raw: Any) -> list[str]:
        if raw is None:
            return []
        if not isinstance(raw, list):
            raise FieldError("data was not an array")
        return list(dict.fromkeys(self.label(each) for each in raw))

    def _priority(self, _field: Field, project: Project, raw: Any) -> str:
        choices = {id_: self.site.priorities[id_] for id_ in project.priorities}
        if isinstance(raw, dict) and "name" in raw and "id" not in raw and not self.names_priorities:
            raise FieldError("Specify the Priority (id) in the string format")
        return self._chosen(choices, raw, "Priority", "The priority selected is invalid.")

    def _resolution(self, _field: Field, _project: Project, raw: Any) -> str:
        return self._chosen(self.site.resolutions, raw, "Resolution", "The resolution selected is invalid.")

    def _chosen(self, choices: Mapping[str, Named], raw: Any, what: str, invalid: str) -> str:
        if not isinstance(raw, dict) or not isinstance(raw.get("id", raw.get("name")), str):
            raise FieldError(f"Specify the {what} (id or name) in the string format")
        for choice in choices.values():
            if raw["id"] == choice.id if "id" in raw else raw["name"] == choice.name:
                return choice.id
        raise FieldError(invalid)

    def _option(self, field: Field, _project: Project, raw: Any) -> str | None:
        if raw is None:
            return None
        if not isinstance(raw, dict) or not isinstance(raw.get("id", raw.get("value")), str):
            raise FieldError(f"Specify a valid 'id' or 'name' for {field.name}")
        for id_, value in field.options.items():
            if raw["id"] == id_ if "id" in raw else raw["value"] == value:
                return id_
        raise FieldError(
            f"Option {'id' if 'id' in raw else 'value'} '{raw.get('id', raw.get('value'))}' is not valid"
        )

    def _user(self, field: Field, project: Project, raw: Any) -> str | None:
        if raw is None:
            return None
        identity = "accountId" if self.site.is_cloud else "name"
        given = raw.get(identity, raw.get("id") if self.site.is_cloud else None) if isinstance(raw, dict) else None
        if not isinstance(given, str):
            raise FieldError(f"expected Object containing a '{identity}' property")
        user = self.site.user_by_id(given)
        if user is None:
            raise FieldError(f"User '{given}' does not exist.")
        if field.id == "assignee" and not self.site.allows(user, project.key, "EDIT_ISSUES"):
            raise FieldError(f"User '{given}' cannot be assigned issues.")
        return user.name

    def _request_type(self, _field: Field, project: Project, raw: Any) -> str:
        """Its id, and on Data Center the portal's key and the form's: "itsm/report"; here the id does for both."""
        for request_type in self.site.request_types:
            if raw == request_type.id and request_type.project == project.key:
                return request_type.id
        raise FieldError(f"The request type '{raw}' is not valid for this project.")
