"""The daemon: everything that runs, wired together, reloaded and ended."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import structlog
from prometheus_client import generate_latest

from watchkeeper import __version__, probers
from watchkeeper.app.deskwork import Deskwork
from watchkeeper.app.hearing import Hearing
from watchkeeper.app.parts import journal_path, load_config, now_ms
from watchkeeper.config.load import Backend, Config
from watchkeeper.config.matchernames import first_mistake, matcher_names
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.secrets import missing_secrets
from watchkeeper.domain.expected import Matcher
from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.domain.problems import Problems
from watchkeeper.domain.watch import Plan, Watch, reusing
from watchkeeper.engine import descriptors, memory
from watchkeeper.engine.attempt import Desk
from watchkeeper.engine.evaluation import Evaluation
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.history import History
from watchkeeper.engine.lag import Lag
from watchkeeper.engine.pulse import STALE_S, Pulse
from watchkeeper.engine.reception import Reception
from watchkeeper.engine.recorder import Recorder
from watchkeeper.engine.retention import Retention
from watchkeeper.engine.rollups import Rollups
from watchkeeper.engine.runner import Limits, Runner
from watchkeeper.engine.schedule import Schedule
from watchkeeper.engine.supervision import Supervision
from watchkeeper.probers.base import Prober
from watchkeeper.schema.fields import Address, Secret
from watchkeeper.store import lock, outbox
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.heartbeats import StoredHeartbeats
from watchkeeper.store.journal import Journal
from watchkeeper.store.problems import remember_problems
from watchkeeper.store.record import Run, begin_run, record, remember
from watchkeeper.store.replay import replay
from watchkeeper.store.reports import remember_reports
from watchkeeper.store.silences import StoredSilences
from watchkeeper.web.availability import availability_routes
from watchkeeper.web.daemon import Reload
from watchkeeper.web.exposition import Exposition, Reading
from watchkeeper.web.heartbeats import heartbeat_routes
from watchkeeper.web.intake import intake_routes
from watchkeeper.web.pages import make_app
from watchkeeper.web.server import WebServer
from watchkeeper.web.silences import silence_routes
from watchkeeper.web.status import Condition, status

END_S = 8.0  # how long a stop may take: less than service managers wait before they kill

_INDISPENSABLE = {"recorder", "pulse"}  # threads

_log = structlog.get_logger("daemon")


class Daemon:
    """Everything that runs, wired together. Made on the event loop that it runs on.

    Args:
        make: makes the desk of a backend, for which commands wait in the database.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        held: lock.DaemonLock,
        sock: socket.socket,
        began_s: float,
        make: Callable[[Backend, Database], Desk],
    ) -> None:
        self._config = config
        self._database = database
        self._began_s = began_s
        self._address = Address(*sock.getsockname()[:2])
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._failed = False
        self._reload_successful = True
        self._reloading = asyncio.Lock()
        self._figures = Figures(__version__)
        self._lag = Lag(self._figures.scheduler_lag.observe)
        self._supervision = Supervision(os.environ)
        self._probers: dict[str, Prober] = {}
        journal = journal_path(config, database)
        replay(journal, database)
        remembered = remember(database)
        began_ms = self._started_ms = now_ms()
        self._run_id = begin_run(
            database, began_ms, __version__, [(probe.id, probe.service) for probe in config.plan.probes.values()]
        )
        self._watch = Watch(
            config.plan,
            open_alerts=remembered.alerts,
            open_incidents=remembered.incidents,
            next_incident_id=remembered.next_incident_id,
            earlier_incidents=remembered.earlier_incidents,
            reports=remember_reports(database),
            has_history=True,
        )
        self._remembered = len(remembered.incidents)
        hearing = Hearing(self._loop)
        self._desk = Deskwork(config, database, make, self._figures, hearing)
        self._deliveries = self._desk.deliveries
        self._recorder = Recorder(
            database,
            self._run_id,
            self._figures,
            self._deliveries.wake,
            Journal(journal, Run(self._run_id, began_ms)),
        )
        problems = _remember_problems(config.plan, database, began_ms, hearing)
        self._evaluation = Evaluation(self._watch, now_ms, self._recorder.put, self._figures, problems)
        hearing.evaluation = self._evaluation
        limits = Limits(config.limits.runs, config.limits.runs_per_host)
        self._rollups = Rollups(now_ms, database)
        self._retention = Retention(now_ms, database, config.retention)
        self._history = History(database, now_ms, hearing.fill)
        self._runner = Runner(now_ms, self._prober, self._observe, self._recorder.is_full, limits)
        self._schedule = Schedule(
            now_ms, self._runner.start, self._runner.miss, self._lag.note, self._evaluation.note_alive
        )
        self._pulse = Pulse(database, held, self._run_id, now_ms, self._deliveries.wake)
        self._exposition = Exposition(self._watch)
        reception = Reception(self._evaluation, self._recorder, self._figures, now_ms, lambda: self._config.sources)
        windows = self._desk.windows
        silences = silence_routes(
            StoredSilences(database), lambda: self._config.token, now_ms, windows.wake, self._mistake
        )
        self._workers = (self._rollups, self._retention, self._history, self._desk.library, windows)
        figures = availability_routes(database, lambda: self._config.plan, now_ms)
        beats = heartbeat_routes(StoredHeartbeats(database), self._heartbeat_secrets, now_ms)
        self._web = WebServer(make_app(self, [*intake_routes(reception), *silences, *figures, *beats]), sock)

    async def run(self) -> bool:
        """Starts everything, waits for the end, ends everything. False when it could not go on."""
        descriptors.provide_for(self._config.limits.runs)
        for number, act in (
            (signal.SIGTERM, self.stop),
            (signal.SIGINT, self.stop),
            (signal.SIGHUP, self._on_hangup),
        ):
            self._loop.add_signal_handler(number, act)
        threading.excepthook = self._on_thread_failure
        self._loop.set_exception_handler(_on_loop_failure)
        # What a changed configuration ends, is in the database before anything runs.
        record(self._database, self._evaluation.followed(self._watch.revise(self._config.plan, now_ms())))
        self._desk.plan_windows(self._config)
        self._desk.windows.load()
        self._desk.windows.step()
        for thread in (self._recorder, self._pulse, *self._workers):
            thread.begin()
        self._want_history()
        self._deliveries.revise(self._config.backends)
        await self._tell_missing_backends()
        self._schedule.begin()
        self._schedule.revise(self._config.plan.probes)
        self._web.begin()
        self._note_reload(successful=True)
        memory.settle()
        self._tell_started()
        self._tell_warnings()
        feeding = self._loop.create_task(self._supervise())
        self._telling = self._loop.create_task(self._tell_missing_secrets())
        await self._stopped.wait()
        feeding.cancel()
        await self._end()
        return not self._failed

    def stop(self) -> None:
        """Ends the daemon. Asked for a second time, at once."""
        if self._stopped.is_set():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        self._stopped.set()

    async def reload(self) -> Reload:
        """Reads the configuration again. All or nothing."""
        async with self._reloading:
            self._supervision.reloading()
            outcome = Reload((), "the reload was given up", fault=True)
            try:
                outcome = await self._reload()
            except Exception as error:  # noqa: BLE001  # told to whoever asked, and in the log with its trace
                self._note_reload(successful=False)
                _log.exception("reload_failed")
                outcome = Reload(
                    (), f"the reload failed of a fault of watchkeeper's, see its log: {error!r}", fault=True
                )
            finally:
                self._supervision.ready(outcome.text)
            return outcome

    def unready(self) -> Sequence[str]:
        """See `web.daemon.Daemon`."""
        reasons = []
        if self._stopped.is_set() or not self._schedule.running:
            reasons.append("the schedule does not run")
        if self._pulse.silent_s > STALE_S:
            reasons.append(f"the database has not answered for {self._pulse.silent_s:.0f} s")
        if (failing_s := self._recorder.failing_s) is not None:
            waiting, journaled = self._recorder.waiting, self._recorder.journaled
            reasons.append(
                f"the database has refused changes for {failing_s:.0f} s; {waiting} changes wait in memory, "
                f"{journaled} decisions in the journal"
            )
        return reasons

    async def metrics(self) -> AsyncIterator[str]:
        """See `web.daemon.Daemon`. Lets others work between the pieces."""
        reading = self._reading()
        yield (await asyncio.to_thread(generate_latest, self._figures.registry)).decode()
        for chunk in self._exposition.chunks(reading):
            yield chunk
            await asyncio.sleep(0)

    def status(self) -> Mapping[str, Any]:
        """See `web.daemon.Daemon`."""
        condition = Condition(
            version=__version__,
            started_ms=self._started_ms,
            uptime_s=monotonic() - self._began_s,
            not_ready=self.unready(),
            missed_runs=self._runner.missed_total,
            scheduler_lag_s=self._lag.worst_s,
            database_failing_s=self._recorder.failing_s or 0.0,
            database_silent_s=self._pulse.silent_s,
            reload_successful=self._reload_successful,
            outbox_ms=self._pulse.depths_ms,
            last_outcomes=self._deliveries.last_outcomes,
        )
        return status(self._reading(), condition, self._watch)

    def _reading(self) -> Reading:
        return Reading(
            now_ms=now_ms(),
            samples=self._runner.samples,
            missed=self._runner.missed,
            runs_in_flight=self._runner.in_flight,
            runs_waiting=self._runner.waiting,
            effects_waiting=self._recorder.waiting,
            decisions_journaled=self._recorder.journaled,
            rollups_waiting=self._rollups.waiting,
            rollup_samples_dropped=self._rollups.dropped,
            outbox=self._pulse.depths,
            backends=self._deliveries,
            refusing=self._deliveries.refusing,
            problems=self._evaluation.problem_counts(),
        )

    async def _reload(self) -> Reload:
        try:
            config = await asyncio.to_thread(load_config, self._config.path)
            problems = [*_needs_restart(self._config, config)]
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        if problems:
            self._note_reload(successful=False)
            for problem in problems:
                _log.error("config_problem", problem=problem)
            text = "the configuration was not reloaded: nothing has changed"
            _log.error("reload_failed", problems=len(problems))
            return Reload(problems, text)
        plan = reusing(config.plan, self._config.plan)
        plan = replace(plan, knowledge=plan.knowledge.replacing(self._desk.library.shelves))
        config = replace(config, plan=plan)
        self._desk.revise(config)
        for gone in self._config.plan.probes.keys() - config.plan.probes.keys():
            self._runner.forget(gone)
        self._evaluation.revise(config.plan)
        self._want_history()
        self._schedule.revise(config.plan.probes)
        self._retention.revise(config.retention)
        self._config = config
        self._note_reload(successful=True)
        memory.settle()
        self._tell_warnings()
        counts = f"{len(config.plan.probes)} probes, {len(config.plan.rules)} rules"
        _log.info("reloaded", probes=len(config.plan.probes), rules=len(config.plan.rules))
        await self._tell_missing_backends()
        self._telling = self._loop.create_task(self._tell_missing_secrets())
        return Reload((), f"reloaded: {counts}")

    async def _tell_missing_backends(self) -> None:
        try:
            depths = await asyncio.to_thread(outbox.depths, self._database)
        except StoreError:
            return  # the pulse tells that
        self._deliveries.tell_missing(depths, self._watch.incidents.values(), self._evaluation.problem_backends())

    def _tell_warnings(self) -> None:
        for warning in self._config.warnings:
            _log.warning("config_warning", warning=str(warning))

    async def _tell_missing_secrets(self) -> None:
        """Without its token, whoever sends something is refused."""
        for missing in await asyncio.to_thread(lambda: list(missing_secrets(self._config))):
            _log.warning("secret_unavailable", secret=missing.name, error=missing.why)

    def _note_reload(self, *, successful: bool) -> None:
        self._reload_successful = successful
        self._figures.reload_successful.set(int(successful))
        if successful:
            self._figures.reload_success_time.set(now_ms() / 1000)

    def _observe(self, probe: Probe, sample: Sample) -> None:
        self._evaluation.observe(probe, sample)
        self._rollups.add(sample)

    def _want_history(self) -> None:
        self._history.want((one.probe, one.window.awaited) for one in self._watch.awaits_history())

    def _mistake(self, matchers: Sequence[Matcher]) -> str | None:
        return first_mistake(matchers, matcher_names(self._config.plan))

    def _heartbeat_secrets(self) -> list[Secret]:
        return [probe.options.secret for probe in self._config.plan.probes.values() if probe.prober == "heartbeat"]

    def _prober(self, name: str) -> Prober:
        prober = self._probers.get(name)
        if prober is None:
            prober = self._probers[name] = probers.find(name).make(now_ms)
        return prober

    def _on_hangup(self) -> None:
        # A failure of a task that nobody waits for is told when it goes: at the next signal, if not before.
        self._hangup = self._loop.create_task(self.reload())

    def _on_thread_failure(self, failure: threading.ExceptHookArgs) -> None:
        """A thread that died would be missed silently: the daemon ends, and the service manager starts it anew."""
        self._failed = True
        self._loop.call_soon_threadsafe(self._stopped.set)
        name = failure.thread.name if failure.thread else "?"
        if isinstance(failure.exc_value, StoreError):
            _log.critical("store_lost", error=str(failure.exc_value))
        else:
            _log.critical("thread_failed", thread=name, exc_info=failure.exc_value)

    def _tell_started(self) -> None:
        plan = self._config.plan
        _log.info(
            "started",
            version=__version__,
            config=str(self._config.path),
            state=self._database.name,
            url=f"http://{self._address}/",
            probes=len(plan.probes),
            rules=len(plan.rules),
            open_incidents=self._remembered,
            after_s=round(monotonic() - self._began_s, 3),
        )
        self._supervision.ready(f"watching {len(plan.probes)} probes with {len(plan.rules)} rules")

    async def _supervise(self) -> None:
        """Feeds the service manager's watchdog: from the event loop, and only while the engine turns. A database that
        is slow or away does not stop it: starting again would not bring that back."""
        every_s = self._supervision.watchdog_s
        while every_s is not None:
            if self._schedule.running and {thread.name for thread in threading.enumerate()} >= _INDISPENSABLE:
                self._supervision.alive()
            await asyncio.sleep(every_s)

    async def _end(self) -> None:
        _log.info("stopping")
        self._supervision.stopping()
        self._schedule.end()
        self._evaluation.end()
        await self._runner.end()
        for prober in self._probers.values():
            await prober.close()
        await self._web.end()
        # All at the same time: where the database does not answer, each waits for it until it is told to give up.
        lost, *_ = await asyncio.gather(
            asyncio.to_thread(self._recorder.end, END_S / 2),
            *(asyncio.to_thread(worker.end, END_S / 2) for worker in self._workers),
            self._deliveries.end(END_S / 2),
        )
        await asyncio.to_thread(self._pulse.end, END_S / 4)
        _log.info("stopped", not_written=lost)


def _remember_problems(plan: Plan, database: Database, now_ms: int, hearing: Hearing) -> Problems:
    memory = remember_problems(database, now_ms, lambda service: plan.service_of(service).ci)
    return Problems(plan, memory.problems, memory.past, memory.next_id, hearing.past_changes)


def _on_loop_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.error("loop_failure", what=context.get("message"), exc_info=context.get("exception"))


def _needs_restart(before: Config, after: Config) -> Sequence[str]:
    """What a running daemon can not take on."""
    return [
        f"{after.path}: {key} has changed, which needs a restart; nothing was reloaded"
        for key, old, new in (
            ("state", before.state, after.state),
            ("web", before.listen, after.listen),
            ("limits", before.limits, after.limits),
            ("log", before.log, after.log),
        )
        if old != new
    ]
