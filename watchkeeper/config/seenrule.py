"""A rule as the checks see it that warn: where it stands, and what it looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from watchkeeper.config.celtokens import Tokens
from watchkeeper.config.codes import Code
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.pace import Herd, Pace, herds_of
from watchkeeper.config.problems import Problem
from watchkeeper.config.vocabulary import FUNCTIONS, Parameter, asked
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.rule import Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call of a function in a condition reads, and how far back. Where its name and its window stand."""

    function: str
    span_ms: int
    name_at: int
    window_at: int


@dataclass(frozen=True)
class SeenRule:
    """`matched`: the probes that it looks at, each with its pace."""

    rule: Rule
    document: Document
    path: Path_
    matched: Sequence[tuple[Probe, Pace]]

    def warning(self, code: Code, place: Path_, message: str, offset: int | None = None) -> Problem:
        """A warning about a key of the rule, or a character of the text there."""
        return self.document.problem((*self.path, *place), "", offset=offset).as_warning(code, message)

    @property
    def where(self) -> str:
        """FILE:LINE:COLUMN."""
        found = self.document.problem((*self.path, "id"), "")
        return f"{found.file}:{found.line}:{found.column}"

    @cached_property
    def probe_ids(self) -> frozenset[str]:
        return frozenset(probe.id for probe, _ in self.matched)

    @cached_property
    def herds(self) -> list[Herd]:
        return herds_of((probe.id, pace) for probe, pace in self.matched)

    @property
    def conditions(self) -> Iterator[tuple[str, str]]:
        """Each of its conditions, by its key."""
        yield "when", self.rule.when
        if self.rule.resolve_when:
            yield "resolve_when", self.rule.resolve_when


def calls_in(text: str) -> Iterator[Asked]:
    """What the calls of a condition read over windows."""
    tokens = Tokens(text)
    for call in tokens.calls():
        function = FUNCTIONS.get(call.name.text)
        if function is None or Parameter.WINDOW not in function.parameters:
            continue
        if len(call.arguments) != len(function.parameters) or not all(call.arguments):
            continue
        first = [tokens.items[indices[0]] for indices in call.arguments]
        reads = asked(function, [token.literal() for token in first])
        if reads is not None:
            window = max(at for at, parameter in enumerate(function.parameters) if parameter is Parameter.WINDOW)
            yield Asked(call.name.text, reads[1], call.name.at, first[window].at)
