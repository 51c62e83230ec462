"""The models of how alerts become incidents."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from watchkeeper.domain.plan import CorrelationPolicy
from watchkeeper.domain.storm import StormPolicy
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.schema.alternatives import OneOf, word
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, PositiveDurationMs


def _at_most(longest: str) -> Callable[[int], int]:
    def check(value_ms: int) -> int:
        if value_ms > parse_duration_ms(longest):
            raise ValueError(f"must be at most {longest}")
        return value_ms

    return check


class StormModel(Model):
    """How much is too much for incidents of their own."""

    over: Annotated[int, Field(ge=1, le=10_000)] = 50
    """So many incidents may open within that time; the rest is gathered in one."""
    within: PositiveDurationMs = 300_000
    """The time."""


Off = Annotated[
    Literal["off"],
    word("off", "{over: 50, within: 5m}"),
    Field(description="Every incident has a ticket of its own, however many there are."),
]


class CorrelationModel(Model):
    """How alerts become incidents."""

    group_wait: Annotated[DurationMs, AfterValidator(_at_most("1h"))] = 3_000
    """How long an alert waits before it opens an incident: what comes with it becomes part of the same ticket, and
    what is explained by it, or it by that, gets none of its own."""
    group_interval: Annotated[DurationMs, AfterValidator(_at_most("1d"))] = 300_000
    """How long a ticket waits between notes on what joins, leaves or is explained by its incident. What ends an
    incident is told at once."""
    storm: Annotated[Annotated[StormModel, Tag("[mapping]")] | Annotated[Off, Tag("[text]")], OneOf] = StormModel()
    """When so many incidents open that the rest is gathered in one; `off`: never."""
    attribute_within: DurationMs = 14_400_000
    """How long after the end of a change trouble of what was changed counts as its consequence."""

    def policy(self) -> CorrelationPolicy:
        """The same for the domain."""
        storm = StormPolicy(self.storm.over, self.storm.within) if isinstance(self.storm, StormModel) else None
        return CorrelationPolicy(self.group_wait, self.group_interval, storm, self.attribute_within)
