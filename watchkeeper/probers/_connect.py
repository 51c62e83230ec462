"""A connection to whichever address of a name answers first, on the event loop."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from watchkeeper.probers._resolver import Endpoint
from watchkeeper.probers.base import OWN_ERRORS

_HEAD_START_S: Final = 0.25  # before the next address is tried as well: RFC 8305, 5


class NotConnected(Exception):
    """No endpoint could be connected to. `error` is the errno that tells most."""

    def __init__(self, errors: Sequence[int]) -> None:
        # What an address of a family that this machine does not have says, matters only if no other says more.
        self.error = next((number for number in errors if number not in OWN_ERRORS), errors[0])
        super().__init__(self.error)


async def connect(endpoints: Sequence[Endpoint]) -> socket.socket:
    """A connection to the first endpoint that answers. A slow one gets a head start, then the next is tried beside
    it. The socket does not block, and is the caller's to close.

    Raises:
        NotConnected: there is none.
    """
    if len(endpoints) == 1:
        outcome = await _try(endpoints[0])
        if isinstance(outcome, int):
            raise NotConnected([outcome])
        return outcome
    errors: list[int] = []
    waiting = list(endpoints)
    trying: set[asyncio.Task[socket.socket | int]] = set()
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(_try(waiting.pop(0))))
            done, _ = await asyncio.wait(
                trying, timeout=_HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                trying.discard(task)
                outcome = task.result()
                if not isinstance(outcome, int):
                    return outcome
                errors.append(outcome)
    finally:
        await _give_up(trying)
    raise NotConnected(errors)


async def _try(endpoint: Endpoint) -> socket.socket | int:
    """A connection, or the errno of why there is none."""
    try:
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
    except OSError as error:
        return error.errno or 0
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, endpoint.address)
    except OSError as error:  # also one of the kernel's own timeouts, which is no TimeoutError of ours
        connection.close()
        return error.errno or 0
    except BaseException:
        connection.close()
        raise
    return connection


async def _give_up(trying: set[asyncio.Task[socket.socket | int]]) -> None:
    """Ends the tries that are not needed any more, and closes what one of them has connected meanwhile."""
    for task in trying:
        task.cancel()
    for outcome in await asyncio.gather(*trying, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
