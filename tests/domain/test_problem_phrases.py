"""What is said in tickets of problems, in each language."""

import re
from collections.abc import Mapping
from dataclasses import fields

from watchkeeper.domain.problem_phrases import ProblemPhrases, problem_phrases_in
from watchkeeper.domain.ticket import Language

ENGLISH = problem_phrases_in(Language.ENGLISH)
CHINESE = problem_phrases_in(Language.CHINESE)


def patterns(phrases: ProblemPhrases) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in fields(phrases):
        said = getattr(phrases, field.name)
        if isinstance(said, str):
            found[field.name] = said
        elif isinstance(said, Mapping):
            found |= {f"{field.name}.{key}": text for key, text in said.items()}
        else:
            found |= {f"{field.name}.{index}": text for index, text in enumerate(said)}
    return found


def test_chinese_says_everything_that_english_says_in_chinese() -> None:
    english, chinese = patterns(ENGLISH), patterns(CHINESE)
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", chinese[name])), name
        assert chinese[name] != text, name
