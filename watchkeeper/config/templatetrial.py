"""Templates, tried out when they are read: what can not be done with a name is found before there is an incident."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from jinja2 import Template
from jinja2.exceptions import SecurityError

from watchkeeper.config.vocabulary import FUNCTIONS, NAMES, Kind, Name

_TRIED: Final[Mapping[Kind, object]] = {
    Kind.TEXT: "text",
    Kind.NUMBER: 41.7390851332,
    Kind.BOOLEAN: True,
    Kind.TIME: datetime(2026, 1, 31, 12, tzinfo=UTC),
}


class _Labels(dict[str, str]):
    """Every label is there, and is a text."""

    def __missing__(self, _: str) -> str:
        return "text"


def why_not(template: Template, names: Mapping[str, Name]) -> str | None:
    """What can not be done with names of their types; `None` where nothing speaks against a template.

    Only what is wrong whatever the names stand for is said: a division by zero may be one of the trial's alone, and
    of branches one is tried.

    Args:
        names: those that the probers produce. Without any, nothing is known of values and facts.
    """
    context: dict[str, Any] = {"values": {}, "facts": {}}
    for name, entry in {**NAMES, **names}.items():
        group, dot, rest = name.partition(".")
        value = _Labels() if entry.kind is Kind.LABELS else _TRIED[entry.kind]
        if dot:
            context.setdefault(group, {})[rest] = value
        else:
            context[name] = value
    context |= {name: _answering(_TRIED[function.result]) for name, function in FUNCTIONS.items()}
    try:
        template.render(context)
    except (TypeError, AssertionError, SecurityError) as error:
        return f"can not be made into a text: {error}"
    except Exception:  # noqa: BLE001  # of these values alone, perhaps
        return None
    return None


def _answering(value: object) -> Callable[..., object]:
    return lambda *_: value
