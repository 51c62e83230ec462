"""Expected against got: which of the things that were expected are there, and what is there beside them.

A mapping states what it cares about; a list lists all there is. The order of a list of things does not matter.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.outcome import Fields, Listed

MAX_LISTED: Final = 500  # of things that one list may expect: pairing takes time that grows with the square

_IDENTITY: Final[Mapping[Listed, tuple[str, ...]]] = {
    Listed.ALERTS: ("rule", "probe"),
    Listed.INCIDENTS: ("key",),
    Listed.RESOLVED: ("key",),
    Listed.TICKETS: ("key",),
}
_SHOWN: Final[Mapping[Listed, tuple[str, ...]]] = {
    Listed.ALERTS: ("rule", "probe", "state", "since"),
    Listed.INCIDENTS: ("key", "title", "severity", "opened", "probes"),
    Listed.RESOLVED: ("key", "title", "severity", "opened", "resolved", "probes"),
    Listed.TICKETS: ("key", "title", "state", "backend"),
}
_LONG: Final = 90  # characters; a longer list stands on several lines


@dataclass(frozen=True, slots=True)
class Containing:
    """A text that contains all of these."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was expected and is not there (`got` is `None`), that is there and was not expected, or that is
    there and is different. `got` holds the fields that matter."""

    expected: Fields | None
    got: Fields | None

    def lines(self) -> Iterator[str]:
        """As a diff: `- ` before what was expected, `+ ` before what is there, `  ` before what is as expected."""
        if self.expected is None or self.got is None:
            sign = "+" if self.expected is None else "-"
            return (f"{sign} {line}" for line in _written(self.expected or self.got or {}))
        return _diff(self.expected, self.got)


def agrees(wanted: Any, got: Any) -> bool:
    """Whether what is there is what was expected of it."""
    if isinstance(wanted, Containing):
        return isinstance(got, str) and all(text in got for text in wanted.texts)
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(name in got and agrees(wanted[name], got[name]) for name in wanted)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return len(wanted) == len(got) and all(map(agrees, wanted, got))
    return bool(wanted == got)


def compare(what: Listed, wanted: Sequence[Fields], got: Sequence[Fields]) -> list[Difference]:
    """All differences: first what was expected and is not there as such, then what is there beside it."""
    partner = _pair(wanted, got)
    taken = set(partner.values())
    missing = [index for index in range(len(wanted)) if index not in partner]
    surplus = [index for index in range(len(got)) if index not in taken]
    differences = []
    for index in missing:
        nearest = _nearest(what, wanted[index], [(other, got[other]) for other in surplus], alone=len(missing) == 1)
        if nearest is None:
            differences.append(Difference(wanted[index], None))
        else:
            surplus.remove(nearest)
            differences.append(_difference(what, wanted[index], got[nearest]))
    differences += [Difference(None, {name: got[index][name] for name in _SHOWN[what]}) for index in surplus]
    return differences


def _pair(wanted: Sequence[Fields], got: Sequence[Fields]) -> dict[int, int]:
    """As many pairs as there can be, each of something expected and something that agrees with it (Kuhn's algorithm:
    who comes later may send earlier ones on to another that agrees with them as well)."""
    fits = [[place for place, thing in enumerate(got) if agrees(one, thing)] for one in wanted]
    owner: dict[int, int] = {}

    def settle(index: int, asked: set[int]) -> bool:
        for place in fits[index]:
            if place not in asked:
                asked.add(place)
                if place not in owner or settle(owner[place], asked):
                    owner[place] = index
                    return True
        return False

    for index in range(len(wanted)):
        settle(index, set())
    return {index: place for place, index in owner.items()}


def _nearest(what: Listed, wanted: Fields, left: list[tuple[int, Fields]], *, alone: bool) -> int | None:
    """Of what is left, that which was probably meant: it is what it should be, or at least half of what is stated."""
    best, most = None, 0.0
    identity = [name for name in _IDENTITY[what] if name in wanted]
    for place, got in left:
        right = sum(agrees(value, got.get(name)) for name, value in wanted.items())
        same = bool(identity) and all(agrees(wanted[name], got[name]) for name in identity)
        score = right / max(1, len(wanted)) + same
        if score > most:
            best, most = place, score
    if alone and len(left) == 1 and not identity:
        return left[0][0]
    return best if most >= (1 if identity else 0.5) else None


def _difference(what: Listed, wanted: Fields, got: Fields) -> Difference:
    """With the fields that were stated, and those that say which one it is."""
    names = [*(name for name in _IDENTITY[what] if name not in wanted), *wanted]
    ordered = sorted(names, key=list(got).index)
    expected = {name: wanted[name] if name in wanted else got[name] for name in ordered}
    return Difference(expected, {name: _as_stated(expected[name], got[name]) for name in ordered})


def _as_stated(wanted: Any, got: Any) -> Any:
    """What is there, written like what was expected where both agree, and without what nobody asked for."""
    if agrees(wanted, got):
        return wanted
    if isinstance(wanted, Mapping):
        return {name: _as_stated(wanted[name], got[name]) for name in wanted if name in got}
    if isinstance(got, list):
        return [_as_stated(one, other) for one, other in zip(wanted, got, strict=False)] + got[len(wanted) :]
    return got


def _diff(expected: Fields, got: Fields, indent: str = "") -> Iterator[str]:
    for name, wanted in expected.items():
        there = got.get(name)
        if isinstance(wanted, Mapping) and isinstance(there, Mapping) and there:
            yield f"  {indent}{name}:"
            yield from _diff(wanted, there, indent + "  ")
        elif wanted == there:
            yield from (f"  {line}" for line in _written({name: wanted}, indent))
        else:
            yield from (f"- {line}" for line in _written({name: wanted}, indent))
            if name in got:
                yield from (f"+ {line}" for line in _written({name: there}, indent))


def _written(fields: Fields, indent: str = "") -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from _written(value, indent + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and len(_inline(value)) > _LONG:
            yield f"{indent}{name}:"
            yield from (f"{indent}  - {_inline(one)}" for one in value)
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{name}: |"
            yield from (f"{indent}  {line}".rstrip() for line in value.splitlines())
        else:
            yield f"{indent}{name}: {_inline(value)}"


def _inline(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Containing):
        return f"{{contains: {_inline(value.texts[0] if len(value.texts) == 1 else value.texts)}}}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, str):
        return str(value) if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return str(value)


def _is_plain(text: str) -> bool:
    """Whether a text can stand without quotes."""
    return (
        text.strip() == text
        and text[:1].isalnum()
        and text.isprintable()
        and ": " not in text
        and not any(character in text for character in '#[]{},"')
        and not text.endswith(":")
    )
