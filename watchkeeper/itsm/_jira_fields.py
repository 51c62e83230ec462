"""Fields of a form (of creating, editing or a transition) as Jira describes them, and values as it takes them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.itsm._jira_options import plain
from watchkeeper.itsm._jira_text import body

REQUEST_TYPE: Final = "com.atlassian.servicedesk:vp-origin"

_BY_NAME: Final = ("priority", "resolution", "issuetype", "version", "component", "securitylevel", "group")


class NotTaken(Exception):
    """A field does not take a value. Its text says what it takes."""


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form. `required`: whether it must be given, for want of a default. `schema`: its type, as Jira
    tells. `allowed`: the choices, `None` where anything is taken."""

    id: str
    name: str
    required: bool
    schema: Mapping[str, Any]
    allowed: Sequence[Mapping[str, Any]] | None = None

    @classmethod
    def read(cls, id_: str, said: Mapping[str, Any]) -> "FormField":
        allowed = said.get("allowedValues")
        return cls(
            id=id_,
            name=str(said.get("name", id_)),
            required=bool(said.get("required")) and not said.get("hasDefaultValue"),
            schema=said.get("schema") or {},
            allowed=allowed if isinstance(allowed, list) else None,
        )

    def value(self, wanted: Any, *, cloud: bool) -> Any:
        """A value as it is sent. Plain texts, and lists of them, are given the shape that the field wants; what has
        a shape already is left as it is.

        Raises:
            NotTaken: it is not one of the choices.
        """
        if isinstance(wanted, list):
            return [self._one(each, str(self.schema.get("items", "")), cloud=cloud) for each in wanted]
        return self._one(wanted, str(self.schema.get("type", "")), cloud=cloud)

    def choice(self, name: str) -> Mapping[str, Any] | None:
        """The choice of this name or id, if there is one."""
        for each in self.allowed or ():
            if plain(name) in (plain(told) for told in _names(each)):
                return each
        return None

    @property
    def choices(self) -> list[str]:
        """The names of the choices."""
        return [_names(each)[-1] for each in self.allowed or () if _names(each)]

    def _one(self, wanted: Any, kind: str, *, cloud: bool) -> Any:
        if not isinstance(wanted, str):
            return wanted
        if self.allowed:
            found = self.choice(wanted)
            if found is None:
                raise NotTaken(f"{self.name} does not take {wanted!r}: it takes {', '.join(self.choices[:20])}")
            return {"id": str(found["id"])} if "id" in found else wanted
        if kind == "user":
            return {"accountId" if cloud else "name": wanted}
        if kind.startswith("option"):
            return {"value": wanted}
        if kind in _BY_NAME:
            return {"name": wanted}
        if cloud and (self.id == "environment" or str(self.schema.get("custom", "")).endswith(":textarea")):
            return body(wanted, cloud=True)
        return wanted


class Form:
    """The fields of a form, by id."""

    def __init__(self, fields: Iterable[FormField]) -> None:
        self.fields = {field.id: field for field in fields}

    @classmethod
    def of_list(cls, said: Iterable[Mapping[str, Any]]) -> "Form":
        """Of `createmeta`."""
        return cls(FormField.read(str(each.get("fieldId", each.get("key"))), each) for each in said)

    @classmethod
    def of_object(cls, said: Any) -> "Form":
        """Of `editmeta`, and of a transition."""
        fields = said if isinstance(said, dict) else {}
        return cls(FormField.read(name, each) for name, each in fields.items())

    def find(self, name: str) -> FormField | None:
        """By its id or its name."""
        if name in self.fields:
            return self.fields[name]
        return next((field for field in self.fields.values() if plain(field.name) == plain(name)), None)

    def request_type(self) -> FormField | None:
        """The field that makes an issue a customer's request."""
        return next((each for each in self.fields.values() if each.schema.get("custom") == REQUEST_TYPE), None)

    def missing(self, given: Iterable[str]) -> list[FormField]:
        """The fields that must be given beside these."""
        there = {"project", "issuetype", *given}
        return [field for field in self.fields.values() if field.required and field.id not in there]

    def filled(self, wanted: Mapping[str, Any], *, cloud: bool) -> tuple[dict[str, Any], list[str]]:
        """What can be set of these fields, by id, and in words what can not."""
        values: dict[str, Any] = {}
        left_out: list[str] = []
        for name, value in wanted.items():
            field = self.find(name)
            if field is None:
                left_out.append(f"there is no field {name!r} on its screen")
                continue
            try:
                values[field.id] = field.value(value, cloud=cloud)
            except NotTaken as reason:
                left_out.append(str(reason))
        return values, left_out


def _names(choice: Mapping[str, Any]) -> list[str]:
    """What a choice is known by: its id, and its name at last."""
    return [str(choice[key]) for key in ("id", "key", "value", "name") if choice.get(key) is not None]
