"""From a failing answer to the ticket command in the outbox, beyond what the rule's `for` asks for."""

import sqlite3
from threading import Event, Thread
from time import sleep, time
from typing import Any, Final

from bench import arrivals
from bench.report import Result
from bench.sides.watchkeeper import Watchkeeper
from bench.stage import Stage

_PROBES: Final = 1000
_HOLD_S: Final = 2
_EVERY_S: Final = 0.1  # one more target breaks
_LOOK_S: Final = 0.01

_NEW: Final = "SELECT id FROM outbox WHERE kind = 'create' AND id > ? ORDER BY id"
_ALL: Final = """
    SELECT o.id, a.probe_id, o.created_ms, o.done_ms FROM outbox o JOIN incident_alerts a USING (incident_id)
    WHERE o.kind = 'create' AND a.rule_id = 'down'
"""


def run(stage: Stage) -> Result:
    result = Result("detection", "1000 checks/s, ten more targets break every second, `for: 2s`")
    breaking = min(_PROBES, int(stage.options.window_s / _EVERY_S))
    with stage.playing(Watchkeeper, stage.load(_PROBES, 1, "logged", hold_s=_HOLD_S)) as daemon:
        log, outbox = arrivals.Log(stage.target.arrivals), _Outbox(daemon)
        try:
            for number in range(breaking):
                # In an order that visits all services and slots.
                stage.target.break_probe(number * 387 % _PROBES)
                sleep(_EVERY_S)
            sleep(_HOLD_S + 4)
        finally:
            outbox.stop()
            stage.target.mend_all()
        found = outbox.commands()
    failed_ms: dict[int, float] = {}
    for arrival in log.read():
        if arrival.status == 503:
            failed_ms.setdefault(arrival.number, arrival.at_ms)
    beyond = [
        command["seen_ms"] - failed_ms[command["number"]] - 1000 * _HOLD_S
        for command in found
        if command["number"] in failed_ms
    ]
    tickets = [command["done_ms"] - command["created_ms"] for command in found if command["done_ms"]]
    p99 = arrivals.percentile(beyond, 99)
    result.holds(
        "targets that broke, and got a ticket command", f"{len(beyond)}", f"{breaking}", len(beyond) == breaking
    )
    result.at_most("failing answer to ticket command, beyond `for`: p99", p99 / 1000, 1, "s", 3)
    result.info("the same, p50 and most", f"{arrivals.percentile(beyond, 50):.0f}, {max(beyond, default=0):.0f} ms")
    result.info(
        "decision to ticket at the local desk: p50, p99",
        f"{arrivals.percentile(tickets, 50):.0f}, {arrivals.percentile(tickets, 99):.0f} ms",
    )
    result.raw.update({"beyond_ms": [round(ms, 1) for ms in sorted(beyond)], "broken": breaking})
    return result


class _Outbox:
    """Watches the database from outside for new ticket commands, and notes when each could be read."""

    def __init__(self, daemon: Watchkeeper) -> None:
        self._file = f"file:{daemon.database}?mode=ro"
        self._seen_ms: dict[int, float] = {}
        self._ending = Event()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(30)

    def commands(self) -> list[dict[str, Any]]:
        database = sqlite3.connect(self._file, uri=True, timeout=10)
        try:
            return [
                {
                    "number": int(probe_id.rpartition("-")[2]),
                    "created_ms": created_ms,
                    "done_ms": done_ms,
                    "seen_ms": self._seen_ms[row_id],
                }
                for row_id, probe_id, created_ms, done_ms in database.execute(_ALL)
                if row_id in self._seen_ms
            ]
        finally:
            database.close()

    def _work(self) -> None:
        database, last = sqlite3.connect(self._file, uri=True, timeout=10), 0
        while not self._ending.wait(_LOOK_S):
            for (row_id,) in database.execute(_NEW, (last,)).fetchall():
                self._seen_ms[row_id], last = time() * 1000, row_id
        database.close()
