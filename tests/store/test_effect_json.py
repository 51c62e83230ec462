"""Every effect is the same after it was written as JSON, and what is no effect is not taken for one."""

import json
from dataclasses import dataclass, fields
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store import made
from watchkeeper.domain.effect import Effect, StatusChanged
from watchkeeper.domain.probe import Status
from watchkeeper.store.effect_json import codec, from_json, to_json

KINDS = get_args(Effect)
st.register_type_strategy(float, st.floats(allow_nan=False))  # it is not even like itself; none is taken in


def through_text(effect: Effect) -> Effect:
    return from_json(json.loads(json.dumps(to_json(effect))))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_effect_of_any_kind_comes_back_as_it_was(kind: type) -> None:
    @given(st.from_type(kind))
    def comes_back(effect: Any) -> None:
        back = through_text(effect)
        assert back == effect
        for field in fields(kind):
            assert type(getattr(back, field.name)) is type(getattr(effect, field.name))

    comes_back()


def test_text_that_is_no_utf8_comes_back() -> None:
    odd = "one\0two" + b"\xff".decode(errors="surrogateescape") + "\u2028"
    effect = StatusChanged("web", "shop", Status.DOWN, 5, odd)

    assert through_text(effect) == effect


def test_a_field_that_an_older_version_did_not_have_gets_its_default() -> None:
    written = to_json(made.status("web", Status.DOWN, 5))
    del written["StatusChanged"]["before"]

    assert from_json(written) == made.status("web", Status.DOWN, 5)


def test_a_command_that_an_older_version_wrote_is_read() -> None:
    written = to_json(made.note(made.incident(1)))
    [command] = written.values()
    del command["problem_id"], command["due_ms"]
    change = command["payload"]["TicketChange"]
    for name in ("problem_id", "duplicate_of", "caused_by", "duplicate", "cause"):
        del change[name]

    assert from_json(written) == made.note(made.incident(1))


STATUS = to_json(made.status("web", Status.DOWN, 5))["StatusChanged"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"ProbeGone": {"probe_id": "web", "at_ms": 5}, "StatusChanged": STATUS},
        {"Unheard": {}},
        {"ProbeGone": []},
        {"ProbeGone": {"probe_id": "web"}},
        {"ProbeGone": {"probe_id": "web", "at_ms": 5, "more": 1}},
        {"ProbeGone": {"probe_id": "web", "at_ms": "5"}},
        {"ProbeGone": {"probe_id": "web", "at_ms": True}},
        {"ProbeGone": {"probe_id": "web", "at_ms": 5.0}},
        {"ProbeGone": {"probe_id": None, "at_ms": 5}},
        {"StatusChanged": {**STATUS, "status": "sideways"}},
        {"AlertChanged": {"before": {"ref": ["rule"]}, "after": {"ref": ["rule"]}, "reason": ""}},
        {"AlertChanged": {"before": {"ref": "ab"}, "after": {"ref": "ab"}, "reason": ""}},
    ],
)
def test_what_is_no_effect_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has a text of its own
        from_json(value)


@dataclass(frozen=True)
class Unwritable:
    what: dict[str, int]


def test_a_type_that_can_not_be_written_is_refused_when_it_is_first_met() -> None:
    for kind in (Unwritable, tuple[int, str], int | str):
        with pytest.raises(TypeError, match="JSON"):
            codec(kind)
