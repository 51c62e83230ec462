"""What the daemon tells a service manager, spoken over a real socket."""

import signal
import socket
from pathlib import Path

from tests.e2e.daemon import PATIENCE_S, Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes


def test_it_says_that_it_is_ready_alive_reloading_and_stopping(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE_S)
        address = str(tmp_path / "notify")
        manager.bind(address)

        def wait_for(word: str) -> str:
            while word not in (message := manager.recv(4096).decode()):
                pass
            return message

        with setup.daemon({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}) as daemon:
            assert "STATUS=watching 1 probes with 1 rules" in wait_for("READY=1")
            wait_for("WATCHDOG=1")
            daemon.signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in wait_for("RELOADING=1")
            wait_for("READY=1")
            daemon.signal(signal.SIGTERM)
            wait_for("STOPPING=1")
            assert daemon.wait() == 0
