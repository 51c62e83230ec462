"""What probers of calls that block have in common: threads of their own, and what becomes of calls that hang."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from tests.probers.asking import BLINK, NOW_MS, a_probe, now, run
from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import BlockingProber, Finding

FOUND = Finding(Status.UP, "it is there")


def waits_for(event: Event) -> Callable[[Probe], Finding]:
    def measure(_probe: Probe) -> Finding:
        event.wait()
        return FOUND

    return measure


def the_probe(id_: str = "it", timeout: str = BLINK) -> Probe:
    return a_probe("disk", {"path": f"/{id_}"}, timeout, id_=id_)


def test_a_call_that_is_not_back_in_time_is_unknown() -> None:
    async def main(released: Event) -> Sample:
        prober = BlockingProber(now, waits_for(released))
        sample = await prober.run(the_probe())
        released.set()
        await prober.close()
        return sample

    sample = run(main(Event()))
    assert (sample.status, sample.message) == (Status.UNKNOWN, f"gave no answer within {BLINK}")
    assert sample.at_ms == NOW_MS
    assert 0.2 < sample.duration_s < 2


def test_a_probe_whose_call_hangs_takes_no_second_thread_until_it_is_back() -> None:
    async def main(released: Event) -> list[Sample]:
        prober = BlockingProber(now, waits_for(released), threads=1)
        samples = [await prober.run(the_probe()), await prober.run(the_probe())]
        released.set()
        samples.append(await prober.run(the_probe("other", "5s")))
        samples.append(await prober.run(the_probe(timeout="5s")))
        await prober.close()
        return samples

    assert [sample.message for sample in run(main(Event()))] == [
        f"gave no answer within {BLINK}",
        "an earlier run still waits for an answer",
        "it is there",
        "it is there",
    ]


def test_a_probe_that_looks_at_something_else_by_now_does_not_wait_for_what_hung() -> None:
    async def main(released: Event) -> Sample:
        prober = BlockingProber(
            now, lambda probe: waits_for(released)(probe) if probe.options.path == "/it" else FOUND
        )
        await prober.run(the_probe())
        sample = await prober.run(replace(the_probe("elsewhere"), id="it"))
        released.set()
        await prober.close()
        return sample

    assert run(main(Event())).status is Status.UP


def test_a_call_that_found_no_free_thread_in_time_is_unknown_and_says_so() -> None:
    async def main(released: Event) -> Sample:
        prober = BlockingProber(now, waits_for(released), threads=1)
        hanging = asyncio.create_task(prober.run(the_probe("first")))
        await asyncio.sleep(0)  # it begins
        sample = await prober.run(the_probe("second"))
        released.set()
        await hanging
        await prober.close()
        return sample

    sample = run(main(Event()))
    assert sample.status is Status.UNKNOWN
    assert sample.message == f"could not begin within {BLINK}: runs of other probes hang"


def test_calls_run_side_by_side_and_no_more_than_there_are_threads() -> None:
    async def main() -> list[Sample]:
        prober = BlockingProber(now, lambda _probe: FOUND, threads=3)
        samples = await asyncio.gather(*(prober.run(the_probe(str(number), "5s")) for number in range(50)))
        await prober.close()
        return samples

    assert {sample.status for sample in run(main())} == {Status.UP}


def test_close_ends_calls_under_way_and_calls_that_wait_as_unknown() -> None:
    async def main(released: Event) -> list[Sample]:
        prober = BlockingProber(now, waits_for(released), threads=1)
        runs = [asyncio.create_task(prober.run(the_probe(id_, "1m"))) for id_ in ("first", "second")]
        await asyncio.sleep(0)
        await prober.close()
        samples = await asyncio.wait_for(asyncio.gather(*runs), 5)
        released.set()
        return samples

    samples = run(main(Event()))
    assert [(sample.status, sample.message) for sample in samples] == [
        (Status.UNKNOWN, "watchkeeper is stopping"),
        (Status.UNKNOWN, "watchkeeper is stopping"),
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO), "/data"), "could not look at /data: Input/output error"),
        (PermissionError(errno.EACCES, "Permission denied"), "could not look: Permission denied"),
        (OSError("nobody knows"), "could not look: nobody knows"),
    ],
)
def test_an_error_of_the_system_is_unknown_and_says_which(error: OSError, message: str) -> None:
    def measure(_probe: Probe) -> Finding:
        raise error

    async def main() -> Sample:
        prober = BlockingProber(now, measure)
        sample = await prober.run(the_probe(timeout="5s"))
        await prober.close()
        return sample

    sample = run(main())
    assert (sample.status, sample.message) == (Status.UNKNOWN, message)


def test_threads_are_used_again() -> None:
    threads = Threads("test", 8)
    names = set()
    for _ in range(20):
        names.add(threads.submit(lambda: __import__("threading").current_thread().name).result(5))
    threads.close()
    assert len(names) <= 2  # the first may not be back before the second call


def test_a_call_that_hangs_for_ever_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import asyncio\n"
        "from threading import Event\n"
        "from tests.probers.test_blocking import *\n"
        "async def main():\n"
        "    prober = BlockingProber(now, waits_for(Event()))\n"
        "    print((await prober.run(the_probe(timeout='10ms'))).message)\n"
        "    await prober.close()\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=20)
    assert ended.stdout == "gave no answer within 10ms\n"
