"""The series of a rule test: what the probes find, checked against what their probers produce."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from watchkeeper.config import series as notation
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.probes import FindProber
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.ruletestmodels import MAX_LASTS_MS
from watchkeeper.config.series import MAX_SAMPLES, Element, NotationError
from watchkeeper.config.vocabulary import ProberKind, produces
from watchkeeper.domain.probe import Every, FactType, Probe
from watchkeeper.domain.series import Findings, Series, Stretch, length

_ELEMENT: Final[Mapping[FactType, Element]] = {
    FactType.NUMBER: notation.number,
    FactType.BOOLEAN: notation.boolean,
    FactType.TIME: notation.moment,
}


@dataclass(frozen=True, slots=True)
class SeriesReader:
    """Reads what probes find."""

    document: Document
    find_prober: FindProber
    problems: list[Problem]

    def read(self, path: Path_, probe: Probe, data: object, interval_ms: int | None) -> Findings | None:
        """What a probe finds, or `None` with problems added to the list.

        Args:
            path: where it is written.
            interval_ms: how often the probe runs; `None`: as often as it says itself.
        """
        known = len(self.problems)
        kind = self.find_prober(probe.prober)
        parts: dict[str, Series] = {}
        if not isinstance(data, dict):
            parts["status"] = self._series(path, data, notation.status)
        for name, value in data.items() if isinstance(data, dict) else ():
            parts[name] = self._part((*path, name), name, value, kind)
        if not parts:
            self._say(path, "says nothing: write a status, or a mapping of series")
        if interval_ms is None and not isinstance(probe.schedule, Every):
            self._say(path, f"{probe.id} runs by cron: say the test's `interval`")
        elif interval_ms is None and isinstance(probe.schedule, Every):
            interval_ms = probe.schedule.interval_ms
        if len(self.problems) > known or interval_ms is None or not self._agree(path, parts, interval_ms):
            return None
        return Findings(
            probe.id,
            interval_ms,
            parts.get("status"),
            parts.get("duration", (Stretch(None),)),
            parts.get("message", (Stretch(None),)),
            {name.removeprefix("values."): part for name, part in parts.items() if name.startswith("values.")},
            {name.removeprefix("facts."): part for name, part in parts.items() if name.startswith("facts.")},
        )

    def _part(self, path: Path_, name: str, value: object, kind: ProberKind) -> Series:
        facts = {f"facts.{fact}": type_ for fact, (type_, _) in kind.facts.items()}
        if name == "status":
            return self._series(path, value, notation.status)
        group, _, value_name = name.partition(".")
        if name == "duration" or (group == "values" and produces(kind, value_name)):
            return self._series(path, value, notation.number)
        if name == "message" or facts.get(name) is FactType.TEXT:
            return self._texts(path, value)
        if name in facts:
            return self._series(path, value, _ELEMENT[facts[name]])
        known = ["status", "duration", "message", *(f"values.{value}" for value in kind.values), *facts]
        said = f"the {kind.name} prober produces no {name!r}{suggest(name, known)}; accepted: {listing(known, 40)}"
        self._say(path, said, key=True)
        return ()

    def _series(self, path: Path_, value: object, element: Element) -> Series:
        text = self.document.written(path)
        if text is None or isinstance(value, dict | list):
            self._say(path, "must be a text such as `upx3 down` or `0+5x10`")
            return ()
        try:
            return notation.parse(text, element)
        except NotationError as error:
            for slip in error.slips:
                self.problems.append(self.document.problem(path, slip.message, offset=slip.offset))
            return ()

    def _texts(self, path: Path_, value: object) -> Series:
        """Texts have blanks in them: one is for all runs, a list has one for each."""
        if isinstance(value, str):
            return (Stretch(value),)
        if not isinstance(value, list) or not value:
            self._say(path, "must be a text, for all runs, or a list with one for each")
            return ()
        for index, one in enumerate(value):
            if one is not None and not isinstance(one, str):
                self._say((*path, index), "must be a text, or _ for none")
        return tuple(Stretch(None if one == "_" else one) for one in value)

    def _agree(self, path: Path_, parts: Mapping[str, Series], interval_ms: int) -> bool:
        """Whether the series tell of the same number of runs, and of no more than a test may have."""
        lengths = {name: length(part) for name, part in parts.items() if length(part) != 1}
        runs = max(lengths.values(), default=1)
        say = partial(self._say, path)
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in lengths.items())
            say(
                f"the series are of different length: {said} runs; write as many of each, _ where there is no value "
                "(`5x3` is 5 and three more), or one value for all runs"
            )
        elif runs > MAX_SAMPLES:
            say(f"makes more than {MAX_SAMPLES:,} samples")
        elif runs * interval_ms > MAX_LASTS_MS:
            say("lasts longer than ten years")
        else:
            return True
        return False

    def _say(self, path: Path_, message: str, **where: Any) -> None:
        self.problems.append(self.document.problem(path, message, **where))
