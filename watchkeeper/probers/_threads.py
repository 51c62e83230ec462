"""Threads for calls that block, and that may hang for ever: a dead file server, a resolver without an answer."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Future[Any], Callable[[], Any]]


class Threads:
    """A few threads, started when they are needed. Only one thread may submit and close.

    They are daemon threads, which those of `ThreadPoolExecutor` are not: the interpreter would wait for one that
    hangs, and the process would never end.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._started = 0
        self._idle = Semaphore(0)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()

    @property
    def exhausted(self) -> bool:
        """Whether all threads are taken and calls wait for one."""
        return self._started == self._limit and not self._jobs.empty()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """The call's outcome to come. One that is cancelled before a thread took it is not made.

        Raises:
            OSError: no thread could be started.
        """
        future: Future[T] = Future()
        self._jobs.put((future, call))
        if not self._idle.acquire(blocking=False) and self._started < self._limit:
            self._start()
        return future

    def close(self) -> None:
        """Calls that no thread took are cancelled; threads end after the call they are in."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is not None:
                job[0].cancel()
        for _ in range(self._started):
            self._jobs.put(None)

    def _start(self) -> None:
        try:
            Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        except RuntimeError:
            if not self._started:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        else:
            self._started += 1

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                self._idle.release()
                job = self._jobs.get()
            if job is None:
                return
            _perform(*job)
            del job  # or its outcome stays in memory until the next


def _perform(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        outcome = call()
    except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
        future.set_exception(error)
    else:
        future.set_result(outcome)
