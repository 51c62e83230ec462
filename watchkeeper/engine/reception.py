"""Taking in what others report: each report is decided on, and answered when that outlives a crash."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

import structlog

from watchkeeper.config.sources import Source
from watchkeeper.domain.report import Report
from watchkeeper.domain.rule import Clock
from watchkeeper.engine.evaluation import Evaluation
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.recorder import Recorder

WAIT_S: Final = 5.0
TOLD_EVERY_S: Final = 60.0  # of one reason, one line in the log
_LOOK_S: Final = 0.02
_AT_ONCE: Final = 50  # reports between which others may work

_log = structlog.get_logger("reports")


class Reception:
    """Takes reports in, on the event loop. See `web.intake.Intake`.

    Args:
        sources: tells those that are configured now.
        wait_s: how long the database, or the journal, may take before a sender is sent away.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        recorder: Recorder,
        figures: Figures,
        clock: Clock,
        sources: Callable[[], Mapping[str, Source]],
        wait_s: float = WAIT_S,
    ) -> None:
        self._evaluation = evaluation
        self._recorder = recorder
        self._figures = figures
        self._clock = clock
        self._sources = sources
        self._wait_s = wait_s
        self._told_s: dict[tuple[str, str], float] = {}

    def sources(self) -> Mapping[str, Source]:
        """Those that are configured now."""
        return self._sources()

    def now_ms(self) -> int:
        """The wall clock."""
        return self._clock()

    async def take(self, source: Source, reports: Sequence[Report], left_out: int) -> int | None:
        """See `web.intake.Intake`."""
        if self._recorder.is_full():
            return None
        if left_out:
            self._figures.reports_left_out.labels(source.name).inc(left_out)
            self._tell("reports_left_out", source.name, f"{left_out} alerts are not in what was sent")
        news = 0
        for number, report in enumerate(reports, 1):
            news += self._take(source, report)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        # Also where nothing is new: what is known may be from a moment ago.
        return news if await self._is_kept(self._recorder.newest) else None

    def refused(self, source: str, reason: str, detail: str) -> None:
        """See `web.intake.Intake`."""
        self._figures.reports_refused.labels(source, reason).inc()
        self._tell("reports_refused", source, detail, reason)

    def _take(self, source: Source, report: Report) -> bool:
        if report.service and report.service not in self._evaluation.watch.plan.services:
            self._figures.reports_unknown_service.labels(source.name).inc()
            self._tell(
                "report_service_unknown",
                source.name,
                f"there is no service {report.service!r}: it counts for {source.policy.service!r}",
                report.service,
            )
        is_news = self._evaluation.reported(report)
        self._figures.reports_received.labels(source.name, "news" if is_news else "known").inc()
        return is_news

    async def _is_kept(self, number: int) -> bool:
        until_s = monotonic() + self._wait_s
        while not self._recorder.is_safe(number):
            if monotonic() > until_s:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    def _tell(self, event: str, source: str, text: str, reason: str = "") -> None:
        """One line in the log, and not again soon. Senders try again and again."""
        now_s = monotonic()
        about = event, f"{source} {reason}"
        if now_s - self._told_s.get(about, -TOLD_EVERY_S) < TOLD_EVERY_S:
            return
        if len(self._told_s) >= 1000:
            self._told_s.clear()
        self._told_s[about] = now_s
        more = {"reason": reason} if event == "reports_refused" else {}
        _log.warning(event, source=source, text=text, **more)
