"""What probers have in common whose runs are checks of a URL whose answer is read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.domain.rule import Clock
from watchkeeper.probers.base import Finding, sample
from watchkeeper.probers.http import HttpProber


class AskingProber:
    """Asks a URL by way of the http prober.

    Args:
        read: what an answer says: of the probe's options, the sample of the check, and the body. The options have
            `asked`, those of the check.
    """

    def __init__(self, clock: Clock, read: Callable[[Any, Sample, bytes], Finding]) -> None:
        self._http = HttpProber(clock)
        self._read = read

    async def run(self, probe: Probe) -> Sample:
        """Asks once."""
        body: list[bytes] = []
        answer = await self._http.run(replace(probe, options=probe.options.asked), body)
        finding = self._read(probe.options, answer, b"".join(body))
        return sample(probe, finding, at_ms=answer.at_ms, duration_s=answer.duration_s)

    async def close(self) -> None:
        await self._http.close()
