"""Starting the daemon: on the database and with the backends of its configuration, or as a dry run."""

import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from watchkeeper.app.daemon import Daemon
from watchkeeper.app.parts import make_desk, make_dry_desk, open_database
from watchkeeper.config.load import Backend, Config
from watchkeeper.engine.attempt import Desk
from watchkeeper.schema.fields import Address
from watchkeeper.store import lock, migrate
from watchkeeper.store.database import Database
from watchkeeper.web.server import ListenError, listen

_log = structlog.get_logger("daemon")


async def run_daemon(config: Config, began_s: float) -> bool:
    """The daemon, until a signal ends it. False when it could not go on.

    Args:
        began_s: when the process began its work, by the monotonic clock.

    Raises:
        ListenError, StoreError, SecretUnavailable, TooFewDescriptors: it could not start.
    """
    database = open_database(config)
    try:
        with listen(config.listen) as sock:
            return await _run(config, database, sock, began_s, make_desk)
    finally:
        database.close()


async def run_dry(config: Config, began_s: float) -> bool:
    """The daemon on a database that is thrown away in the end, with backends that only tell what would be sent. What
    the configuration names as its database is not even opened, and another daemon on it may run meanwhile.

    Raises:
        ListenError, StoreError, TooFewDescriptors: it could not start.
    """
    with TemporaryDirectory(prefix="watchkeeper-dry-run-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'watchkeeper.db'}")
        try:
            with _listen_anywhere(config.listen) as sock:
                _log.warning("dry_run", text="nothing is sent to ticket systems, and nothing is kept")
                return await _run(config, database, sock, began_s, make_dry_desk)
        finally:
            database.close()


def _listen_anywhere(address: Address) -> socket.socket:
    """On the address, or where there is room if another daemon has it."""
    try:
        return listen(address)
    except ListenError:
        return listen(Address("127.0.0.1", 0))


async def _run(
    config: Config,
    database: Database,
    sock: socket.socket,
    began_s: float,
    make: Callable[[Backend, Database], Desk],
) -> bool:
    held = lock.acquire(database)
    try:
        migrate.upgrade(database)
        return await Daemon(config, database, held, sock, began_s, make).run()
    finally:
        held.release()
