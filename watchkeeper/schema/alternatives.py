"""Field types for what is written as a mapping or as one word."""

from typing import Any

from pydantic import BeforeValidator, Discriminator

from watchkeeper.schema.base import Model


def _shape(value: Any) -> str:
    return "[mapping]" if isinstance(value, dict | Model) else "[text]"


OneOf = Discriminator(_shape)
"""Tells the two by their shape: their tags are `[mapping]` and `[text]`."""


def word(word: str, instead: str) -> Any:
    """A word that stands where a mapping could."""

    def validate(value: Any) -> Any:
        if value != word:
            raise ValueError(f"{value!r} is not accepted: {word}, or a mapping such as {instead}")
        return value

    return BeforeValidator(validate)
