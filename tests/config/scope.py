"""Scopes to evaluate conditions and titles in."""

from collections.abc import Iterable, Mapping

from watchkeeper.domain.probe import Category, Every, Fact, Probe, Sample, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.window import Window

NOW_MS = 1_700_000_000_000


def sample(
    status: Status = Status.UP,
    values: Mapping[str, float] | None = None,
    facts: Mapping[str, Fact] | None = None,
    *,
    duration_s: float = 1.5,
    message: str = "",
    at_ms: int = NOW_MS,
) -> Sample:
    return Sample("root", at_ms, status, duration_s, values or {}, facts or {}, message)


def scope(of: Sample, spans_ms: Mapping[str, int] | None = None, earlier: Iterable[Sample] = ()) -> Scope:
    """The scope of a sample, with a window that holds it and some before."""
    probe = Probe("root", "volume", "shop", Category.CAPACITY, Every(1000), 1000, None, {"env": "prod"})
    window = Window(spans_ms or {})
    for one in (*earlier, of):
        window.append(one)
    return Scope(of, probe, Service("shop", "Web shop", owner="team-web"), of.at_ms, window)
