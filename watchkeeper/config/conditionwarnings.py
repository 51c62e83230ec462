"""Conditions that can not hold, hold always, or never are over."""

from collections.abc import Iterator, Sequence
from typing import Final

from watchkeeper.config.celboolean import Formula, NotUnderstood, parse
from watchkeeper.config.celterms import Test
from watchkeeper.config.celtokens import Token
from watchkeeper.config.codes import Code
from watchkeeper.config.pace import Herd, described
from watchkeeper.config.possible import Contradiction, Goal, impossible
from watchkeeper.config.problems import Problem
from watchkeeper.config.seenrule import SeenRule

MAX_HERDS: Final = 16
"""A condition is looked at for so many paces of probes; those of others may do anything."""

_MAX_SHOWN: Final = 80  # characters of a condition in a message
_ALWAYS: Final = (
    "is true whatever a sample says: the incident opens at once and stays open; write down what is trouble instead"
)
_NO_GAP: Final = "is true wherever `when` is not, and makes no difference; leave a gap between the two, or remove it"


def condition_warnings(seen: SeenRule) -> Iterator[Problem]:
    """What is odd about the conditions of a rule."""
    try:
        when = parse(seen.rule.when)
    except NotUnderstood:
        return
    impossible_for = list(_impossible_for(seen.herds, (when, True)))
    if impossible_for:
        if seen.rule.hold.no_data_ms is None:  # else silence is what it is about
            yield _never(seen, impossible_for)
        return
    if _is_true(seen.herds, (when, False)):
        yield seen.warning(Code.ALWAYS_HOLDS, ("when",), _ALWAYS)
    elif seen.rule.resolve_when:
        yield from _relief(seen, when)


def _never(seen: SeenRule, found: Sequence[tuple[Herd, list[Contradiction]]]) -> Problem:
    herds = [herd for herd, _ in found]
    of = "" if len(herds) == len(seen.herds) else f" for {described(herds)}"
    # What is true of the fastest probes, whose windows hold the most samples, is true of the others.
    at, reason = _reason(found[-1][1])
    message = f"can never be true{of}: {reason}; correct it, as nothing can open like this"
    return seen.warning(Code.NEVER_HOLDS, ("when",), message, at)


def _relief(seen: SeenRule, when: Formula) -> Iterator[Problem]:
    try:
        relief = parse(seen.rule.resolve_when)
    except NotUnderstood:
        return
    if (why := _why_not(seen.herds, (when, False), (relief, True))) is not None:
        _, reason = _reason(why)
        message = f"can never be true once `when` is not: {reason}; correct it, or incidents will never be over"
        yield seen.warning(Code.NEVER_RESOLVES, ("resolve_when",), message)
    elif _is_true(seen.herds, (when, False), (relief, False)):
        yield seen.warning(Code.RESOLVE_WHEN_WITHOUT_EFFECT, ("resolve_when",), _NO_GAP)


def _impossible_for(
    herds: Sequence[Herd], *goals: Goal, has_answers: bool = False
) -> Iterator[tuple[Herd, list[Contradiction]]]:
    for herd in herds[:MAX_HERDS]:
        if (why := impossible(goals, herd.pace.most_samples, has_answers=has_answers)) is not None:
            yield herd, why


def _why_not(herds: Sequence[Herd], *goals: Goal) -> list[Contradiction] | None:
    """Why the goals can not be for any of the probes; `None` where they may be for some."""
    found = list(_impossible_for(herds, *goals))
    return found[-1][1] if found and len(found) == len(herds) else None


def _is_true(herds: Sequence[Herd], *goals: Goal) -> bool:
    """Whether, of formulas that are not to be true, one always is, for all of the probes."""
    found = list(_impossible_for(herds, *goals, has_answers=True))
    return bool(found) and len(found) == len(herds)


def _reason(why: Sequence[Contradiction]) -> tuple[int | None, str]:
    """Where in the text, and in words, what stands against each other."""
    if not why:
        return None, "it is false whatever a sample says"
    answers, against = why[0].answers, why[0].why
    test, _ = answers[-1]
    at = test.atom.tokens[0].at
    if len(answers) > 1:
        return at, f"{_shown(answers[0])} and {_shown(answers[1])} exclude each other"
    return at, f"{_shown(answers[0])}, but {_text(test.subject)} {against}" if against else f"{_shown(answers[0])}"


def _shown(answer: tuple[Test, bool]) -> str:
    test, wanted = answer
    text = _text(test.atom.tokens)
    return text if wanted else f"not ({text})"


def _text(tokens: Sequence[Token]) -> str:
    """Tokens as they are written, on one line."""
    end = tokens[0].at
    text = ""
    for token in tokens:
        text += token.text if token.at == end else f" {token.text}"
        end = token.at + len(token.text)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
