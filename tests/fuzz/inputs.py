"""Made-up input: pieces put together at random, and valid files that were spoilt."""

import random
from pathlib import Path
from typing import Final

from tests.config.test_config_fuzzed import CEL_PIECES, TITLE_PIECES, YAML_PIECES

ROOT: Final = Path(__file__).parents[2]
_MORE_CEL: Final = (
    "quantile(0.95, ", 'changed("', 'consecutive("down")', "burn_rate(", "delta(", "matches(", "'(a+)+$'",
    "'a{1000}{1000}'",
    ".matches(", "status.", ".map(x, ", ".filter(x, ", ".exists(x, ", "[1,2,3,4,5,6,7,8,9]", "duration('1h')",
    "timestamp(",
    " / 0", " % 0", "9223372036854775807", " * ", "has(values.free_bytes)", "time_to(", "predict(", '"7d"', "'a' + ",
)  # fmt: skip
_SERIES_PIECES: Final = (
    "1+1x10",
    "up",
    "down",
    "x",
    "_",
    "_x5",
    "upx3",
    "NaN",
    "-",
    "+",
    " ",
    "1e9",
    "x999999",
    "0.1",
    "Inf",
    "é",
)
_PATTERNS: Final = ("a+", "(a+)+$", "a{1000}{1000}", "[", "(?i)x|y", ".*")
_VALUES: Final = (
    "30s",
    "-1",
    "5",
    "1e400",
    "{a}",
    "[]",
    "{}",
    "null",
    "yes",
    "99.9%",
    "''",
    "!x",
    "*a",
    "&a b",
    "{failures: 3}",
)


def text_of(pieces: tuple[str, ...], chance: random.Random) -> str:
    return "".join(
        chance.choice(pieces) if chance.random() < 0.9 else chr(chance.randrange(32, 0x2FFF))
        for _ in range(chance.randrange(1, 40))
    )


def condition(chance: random.Random) -> str:
    """Half of them pieces, half of them grown by the grammar, most of which can be compiled."""
    return text_of((*CEL_PIECES, *_MORE_CEL), chance) if chance.random() < 0.5 else _boolean(chance, 4)


def _boolean(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(
            ("up", "!up", 'status == "down"', "has(values.free_bytes)", 'changed("used_percent", "1h")', "true")
        )
    inner = depth - 1
    kinds = (
        lambda: (
            f"{_number(chance, inner)} {chance.choice(('<', '<=', '==', '!=', '>=', '>'))} {_number(chance, inner)}"
        ),
        lambda: f"({_boolean(chance, inner)} {chance.choice(('&&', '||'))} {_boolean(chance, inner)})",
        lambda: f"({_boolean(chance, inner)} ? {_boolean(chance, inner)} : {_boolean(chance, inner)})",
        lambda: (
            f"{_text(chance, inner)}.{chance.choice(('contains', 'startsWith', 'endsWith'))}({_text(chance, inner)})"
        ),
        lambda: f"{_text(chance, inner)}.matches('{chance.choice(_PATTERNS)}')",
        lambda: (
            f"{_list(chance, inner)}.{chance.choice(('all', 'exists', 'exists_one'))}(x, {_boolean(chance, inner)})"
        ),
        lambda: f"{_number(chance, inner)} in {_list(chance, inner)}",
    )
    return chance.choice(kinds)()


def _number(chance: random.Random, depth: int) -> str:
    simple = (
        "90",
        "0",
        "0.5",
        "values.used_percent",
        "duration",
        "x",
        "99999999999999999999",
        "-1",
        "1e300",
        'count("used_percent", "5m")',
    )
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(simple)
    inner = depth - 1
    kinds = (
        lambda: f"({_number(chance, inner)} {chance.choice('+-*/%')} {_number(chance, inner)})",
        lambda: (
            f'{chance.choice(("avg", "min", "rate"))}("used_percent", "{chance.choice(("1m", "7d", "0s", "x"))}")'
        ),
        lambda: f'quantile({_number(chance, inner)}, "used_percent", "1h")',
        lambda: f"size({_text(chance, inner)})",
        lambda: f"double(size({_list(chance, inner)}))",
    )
    return chance.choice(kinds)()


def _text(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.5:
        return chance.choice(("status", "message", "service.id", "'a'", "labels.env", "string(duration)"))
    return f"({_text(chance, depth - 1)} + {_text(chance, depth - 1)})"


def _list(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.6:
        return "[" + ", ".join(_number(chance, 0) for _ in range(chance.randrange(12))) + "]"
    return f"{_list(chance, depth - 1)}.{chance.choice(('map', 'filter'))}(x, {_boolean(chance, depth - 1)})"


def title(chance: random.Random) -> str:
    return text_of(TITLE_PIECES, chance)


def series(chance: random.Random) -> str:
    return text_of(_SERIES_PIECES, chance)


def document(chance: random.Random) -> str:
    return text_of(YAML_PIECES, chance)


def spoilt(text: str, chance: random.Random) -> str:
    """A valid file with a few characters, values or lines taken out, doubled, replaced or moved."""
    for _ in range(chance.randrange(1, 4)):
        kind = chance.randrange(4)
        if kind == 0:
            start = chance.randrange(len(text) + 1)
            end = min(len(text), start + chance.randrange(12))
            text = text[:start] + chance.choice(("", text[start:end] * 2, *YAML_PIECES)) + text[end:]
            continue
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        if kind == 1 and ":" in lines[at]:
            lines[at] = (
                f"{lines[at].partition(':')[0]}: {chance.choice((*_VALUES, condition(chance), title(chance)))}"
            )
        elif kind == 2:
            lines[at] = chance.choice(("", "  " + lines[at], lines[at].lstrip(), chance.choice(lines)))
        else:
            lines.insert(at, chance.choice(lines))
        text = "\n".join(lines)
    return text
