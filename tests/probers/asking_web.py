"""How tests ask a web server."""

from typing import Any

from tests.probers.asking import ask, run
from tests.probers.servers import (
    Answer,
    serving,
)
from watchkeeper.domain.probe import Sample, Status


def ask_a_server_that(answer: Answer, options: dict[str, Any] | None = None, timeout: str = "5s") -> Sample:
    """The sample of a check of a server that gives this answer."""

    async def main() -> Sample:
        async with serving(answer) as server:
            return await ask("http", {"url": server.url(), **(options or {})}, timeout)

    return run(main())


def says_that_it_is_down(sample: Sample, failure: str, *texts: str) -> None:
    assert sample.status is Status.DOWN
    assert sample.facts["failure"] == failure
    assert all(text in sample.message for text in texts), sample.message
