"""How tests run a prober: through its kind, with options as YAML has them, on a loop of their own."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from watchkeeper.domain.probe import Every, Probe, Sample
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.probers import find
from watchkeeper.probers.base import Prober

T = TypeVar("T")

NOW_MS: Final = 1_700_000_000_000
"""What the clock says that tests hand to probers."""

BLINK: Final = "250ms"
"""A timeout for runs that are to be late."""


def now() -> int:
    return NOW_MS


def a_probe(
    prober: str, options: dict[str, Any], timeout: str = "5s", base: Path = Path("/"), id_: str = "it"
) -> Probe:
    """A probe as the configuration makes it.

    Raises:
        pydantic.ValidationError: the options are not accepted.
    """
    kind = find(prober)
    model = kind.options.model_validate(options, context={"base": base})
    return Probe(id_, prober, "shop", kind.category, Every(60_000), parse_duration_ms(timeout), model)


async def ask(prober: str, options: dict[str, Any], timeout: str = "5s") -> Sample:
    """The sample of one run by a prober made for it."""
    return await ask_by(find(prober).make(now), a_probe(prober, options, timeout))


async def ask_by(maker: Prober, probe: Probe) -> Sample:
    """The sample of one run, after which the prober is closed."""
    try:
        return await maker.run(probe)
    finally:
        await maker.close()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it on a loop of its own."""
    return asyncio.run(coroutine)
