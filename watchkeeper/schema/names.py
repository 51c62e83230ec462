"""Field types: what things are called, and cron expressions."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from watchkeeper.schema.cron import parse_cron

Identifier = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*$", max_length=200),
]


def _cron(text: str) -> str:
    parse_cron(text)
    return text


CronExpression = Annotated[str, AfterValidator(_cron)]
