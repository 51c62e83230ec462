"""What stands in the log, and what becomes of it when it can not be written."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import structlog

from watchkeeper import log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging of the test's own process is left as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Pipe:
    """A pipe whose reader can be lost and found again: then it is another pipe at the same descriptor."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self.stream: IO[str] = os.fdopen(self._writer, "w")

    def lose_reader(self) -> None:
        os.close(self.reader)

    def find_reader(self) -> None:
        self.reader, writer = os.pipe()
        os.dup2(writer, self._writer)
        os.close(writer)

    def read(self) -> str:
        return os.read(self.reader, 1_000_000).decode()

    def close(self) -> None:
        os.close(self.reader)
        self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def events(text: str) -> list[str]:
    return [json.loads(line)["event"] for line in text.splitlines()]


def test_lines_that_nobody_reads_are_lost_counted_and_told_later(pipe: Pipe) -> None:
    log.configure(as_json=True, level="info", stream=pipe.stream)  # type: ignore[arg-type]  # a file is a TextIO
    teller = structlog.get_logger("x")
    teller.info("first")
    assert events(pipe.read()) == ["first"]

    pipe.lose_reader()
    teller.info("second")
    logging.getLogger("some.library").warning("third")
    pipe.find_reader()
    teller.info("fourth")
    teller.info("fifth")

    lost, *others = pipe.read().splitlines()
    told = json.loads(lost)
    assert (told["event"], told["level"], told["count"]) == ("log_lines_lost", "warning", 2)
    assert events("\n".join(others)) == ["fourth", "fifth"]


def test_a_disk_that_is_full_is_no_error() -> None:
    with open("/dev/full", "w") as full:
        log.configure(as_json=False, level="info", stream=full)
        structlog.get_logger("x").error("something")


def test_a_stream_that_was_closed_is_no_error(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as file:
        log.configure(as_json=True, level="info", stream=file)
    structlog.get_logger("x").error("something")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("library", [True, False])
def test_a_trace_shows_no_local_variables(pipe: Pipe, as_json: bool, library: bool) -> None:
    log.configure(as_json=as_json, level="info", stream=pipe.stream)  # type: ignore[arg-type]  # a file is a TextIO

    def fail(token: str) -> None:
        headers = {"Authorization": token}
        raise ValueError(f"{len(headers)} header too many")

    try:
        fail("hunter" + "2")
    except ValueError:
        (logging.getLogger("x").exception if library else structlog.get_logger("x").exception)("failed")

    said = pipe.read()
    assert "1 header too many" in said
    assert "hunter2" not in said
