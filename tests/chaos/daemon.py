"""The real daemon as a child process that is killed, with a configuration of many small troubles."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from tests.chaos.site import Site
from tests.e2e.daemon import ROOT

TARGETS: Final = 24
SERVICES: Final = 4
GATEWAY: Final = 21
"""The target on the way to others, in a service of its own."""
BEHIND: Final = (0, 1, 2, 3, 5, 23)
BASE: Final = 23
"""The target of a service that `service-1` can not do without."""

STORM: Final = "{over: 25, within: 5s}"
_CORRELATION: Final = "correlation: {{group_wait: 400ms, group_interval: 1s, storm: {storm}}}\n"
"""All goes on in a tenth of the usual time, so that lives end in each step of it."""
_RULES = ("down", "down-for-some-time", "service-down")

RULES: Final = """
groups:
  - name: chaos
    rules:
      - id: down
        when: status == 'down'
        flapping: off
      - id: down-for-some-time
        match: {labels: {sort: odd}}
        when: status == 'down'
        for: 300ms
        keep_firing_for: 600ms
        severity: minor
        escalate: [{after: 1s, severity: major}, {after: 2s, severity: critical}]
      - id: service-down
        when: status == 'down'
        for: {failures: 2}
        keep_firing_for: 300ms
        incident: {group_by: [service]}
"""


def write_configuration(
    folder: Path, site: Site, backend: str, *, name: str = "config.yaml", more: str = "", storm: str = "off"
) -> Path:
    """The configuration's file.

    Args:
        backend: the settings of the one backend.
        more: further keys of the file.
        storm: what is a storm.
    """
    lines = [
        f"  - {{id: {probe_id(n)}, prober: tcp, service: {service(n)}, address: '{site.address(n)}', "
        f"labels: {{sort: {'odd' if n % 2 else 'even'}}}"
        + (f", parents: [{probe_id(GATEWAY)}]" if n in BEHIND else "")
        + "}"
        for n in range(TARGETS)
    ]
    (folder / "probes.yaml").write_text(
        "\n".join(["defaults: {every: 250ms, timeout: 250ms}", "probes:", *lines]) + "\n"
    )
    (folder / "rules.yaml").write_text(RULES)
    needs = {service(1): f"{{depends_on: [{service(BASE)}]}}"}
    services = ", ".join(f"{name}: {needs.get(name, '{}')}" for name in sorted({*map(service, range(TARGETS))}))
    config = folder / name
    config.write_text(
        f"probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices: {{{services}}}\n"
        # An address of its own, whose port no connection of this machine takes while the daemon is dead.
        f"web: {{listen: '127.88.255.{len(list(folder.glob('*.yaml')))}:{site.address(0).rpartition(':')[2]}'}}\n"
        f"itsm: {{backends: {{desk: {backend}}}}}\n{_CORRELATION.format(storm=storm)}{more}"
    )
    return config


def probe_id(target: int) -> str:
    return f"target-{target}"


def service(target: int) -> str:
    return {GATEWAY: "network", BASE: "base"}.get(target, f"service-{target % SERVICES}")


def alerts(down: frozenset[int]) -> dict[tuple[str, str], str]:
    """The alerts that fire when these targets have been down for a while, as rule and probe, and the key of the
    incident that each opens: none where something upstream explains it."""
    found = {}
    for n in down:
        is_explained = (GATEWAY in down and n in BEHIND) or (BASE in down and service(n) == service(1))
        for rule in _RULES if n % 2 else (_RULES[0], _RULES[2]):
            group = f"service={service(n)}" if rule == "service-down" else f"probe={probe_id(n)}"
            found[rule, probe_id(n)] = "" if is_explained else f"{rule}/{group}"
    return found


def incident_keys(down: frozenset[int]) -> frozenset[str]:
    """The keys of the incidents that are open when these targets have been down for a while, in no storm."""
    return frozenset(filter(None, alerts(down).values()))


class Daemon:
    """A running `watchkeeper run`. What it logs is added to a file beside its configuration."""

    def __init__(self, config: Path) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("WATCHKEEPER_", "NOTIFY_"))}
        self._log = config.with_suffix(".log")
        self._began, self._started = monotonic(), 0.0
        with self._log.open("ab") as log:
            self._read_to = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "watchkeeper", "run", "-c", str(config)],
                cwd=config.parent,
                env={**kept, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._killed = threading.Event()

    @property
    def age_s(self) -> float:
        """How long ago it was begun."""
        return monotonic() - self._began

    @property
    def worked_s(self) -> float:
        """For how long it has done its work, as far as its log tells; 0 while it starts."""
        if not self._started and b'"event": "started"' in self._told():
            self._started = monotonic()
        return monotonic() - self._started if self._started else 0.0

    @property
    def was_killed(self) -> bool:
        return self._killed.is_set()

    def _told(self) -> bytes:
        with self._log.open("rb") as log:
            log.seek(self._read_to)
            return log.read()

    def says(self, text: str) -> bool:
        """Whether it has logged this."""
        return text.encode() in self._told()

    def kill(self) -> None:
        """Ends it as a power cut would. It is dead when this returns, and may be called by any thread."""
        if self._process.returncode is None:
            self._killed.set()
            self._process.kill()
            with suppress(ChildProcessError):  # the other thread has heard of its end already
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)

    def ended(self, within_s: float) -> int | None:
        """Its exit status; `None` when it still runs after this time."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
