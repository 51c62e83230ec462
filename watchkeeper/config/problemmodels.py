"""The models of what is said of problems, and how they are read."""

from collections.abc import Collection, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, Tag

from watchkeeper.config.document import Document
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.domain.recurrence import LONGEST_MS, Override, ProblemPolicy, Thresholds
from watchkeeper.domain.units import format_duration_ms, parse_duration_ms
from watchkeeper.schema.alternatives import OneOf, word
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, PositiveDurationMs
from watchkeeper.schema.names import Identifier

NoProblems = Annotated[
    Literal["off"],
    word("off", "{after: 3, within: 14d}"),
    Field(description="Repeats are not counted, and no problem is opened."),
]


def _not_too_long(value_ms: int) -> int:
    if value_ms > LONGEST_MS:
        raise ValueError(f"must be at most {format_duration_ms(LONGEST_MS)}: what is older is not counted")
    return value_ms


WithinMs = Annotated[PositiveDurationMs, AfterValidator(_not_too_long)]
Times = Annotated[int, Field(ge=2, le=1000)]


class ProblemOverrideModel(Model):
    """What is counted otherwise. What is not set is as it is for all."""

    after: Times | None = None
    """After how many incidents of the same failure."""
    within: WithinMs | None = None
    """Within what time."""
    downtime: PositiveDurationMs | None = None
    """After how much downtime within that time, too."""
    flapping: Annotated[int, Field(ge=1, le=1000)] | None = None
    """After how many incidents within that time that flapped, too."""


OwnProblems = Annotated[
    Annotated[NoProblems, Tag("[text]")] | Annotated[ProblemOverrideModel, Tag("[mapping]")], OneOf
]


class ProblemsModel(Model):
    """When repeats of incidents are a problem."""

    after: Times = 3
    """After how many incidents of the same failure: same rule, service and CI, and a like message."""
    within: WithinMs = parse_duration_ms("14d")
    """Within what time."""
    downtime: PositiveDurationMs | None = None
    """After how much downtime within that time, too, however few incidents it was. Counted when an incident is
    over."""
    flapping: Annotated[int, Field(ge=1, le=1000)] | None = None
    """After how many incidents within that time that flapped, too."""
    reopen_within: DurationMs = parse_duration_ms("30d")
    """For how long after people have resolved a problem it is opened again when it recurs, or, where its ticket is
    closed, gets a successor. Later, repeats are counted anew."""
    rules: dict[Identifier, OwnProblems] = Field(default_factory=dict)
    """What counts for a rule instead, by its id, also instead of what the rule says itself: the same keys, or
    `off`."""
    services: dict[Identifier, OwnProblems] = Field(default_factory=dict)
    """What counts for a service instead, by its id."""


Problems = Annotated[Annotated[NoProblems, Tag("[text]")] | Annotated[ProblemsModel, Tag("[mapping]")], OneOf]

_OFF: Final = ProblemsModel()


def override(model: ProblemOverrideModel | str) -> Override | None:
    """What is counted otherwise; `None`: nothing is."""
    if isinstance(model, str):
        return None
    return Override(model.after, model.within, model.downtime, model.flapping)


def policy(model: ProblemsModel | str, of_rules: Mapping[str, Override | None]) -> ProblemPolicy:
    """What the configuration says of problems.

    Args:
        of_rules: what rules say of themselves, by their ids.
    """
    said = _OFF if isinstance(model, str) else model
    return ProblemPolicy(
        thresholds=Thresholds(said.after, said.within, said.downtime, said.flapping),
        is_on=not isinstance(model, str),
        reopen_within_ms=said.reopen_within,
        rules={**of_rules, **{name: override(one) for name, one in said.rules.items()}},
        services={name: override(one) for name, one in said.services.items()},
    )


def unknown_names(
    document: Document,
    model: ProblemsModel | str,
    rules: Collection[str] | None,
    services: Collection[str] | None,
) -> list[Problem]:
    """Names that nothing answers to. `None`: not all could be read."""
    if isinstance(model, str):
        return []
    found = []
    for key, named, known in (("rules", model.rules, rules), ("services", model.services, services)):
        for name in named:
            if known is not None and name not in known:
                message = f"there is no {key[:-1]} {name!r}{suggest(name, known)}; there is {listing(known)}"
                found.append(document.problem(("problems", key, name), message, key=True))
    return found
