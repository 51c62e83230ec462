"""What somebody said that resolved an incident stands in the next ticket of the same trouble."""

import socket
from pathlib import Path

from tests.e2e.daemon import free_port
from tests.e2e.test_people import said, tickets, trouble


def test_what_ended_an_incident_stands_in_the_next_ticket(tmp_path: Path) -> None:
    port = free_port()
    setup = trouble(tmp_path, port)
    (setup.folder / "knowledge").mkdir()
    setup.write("knowledge/ports.md", "---\nmatch: {prober: tcp}\n---\nSee `ss -ltn`.\n")

    with setup.daemon() as daemon:
        setup.wait_until(lambda: len(tickets(setup)) == 1)
        said(setup, "take", "DESK-1", "--by", "alice")
        daemon.wait_for("incident_acknowledged")
        with socket.create_server(("127.0.0.1", port)):
            daemon.wait_for("incident_resolved")
            said(setup, "resolve", "DESK-1", "--by", "alice", "--note", "Started the listener again.")
            daemon.wait_for("resolution_kept")
        setup.wait_until(lambda: len(tickets(setup)) == 2)

    text = said(setup, "DESK-2")
    assert "Last time (INC-1, the same trouble) it was resolved with:\n    Started the listener again." in text
    assert "ports (knowledge/ports.md), because of the prober tcp\n    See `ss -ltn`." in text
