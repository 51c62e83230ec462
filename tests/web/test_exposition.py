"""The metrics of what is watched, as Prometheus reads them."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.engine import made
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Rule
from watchkeeper.domain.watch import Watch
from watchkeeper.engine.figures import Figures
from watchkeeper.store.outbox import OutboxDepth, OutboxState
from watchkeeper.web.exposition import CHUNK, Exposition, Reading
from watchkeeper.web.families import labels_text

IDLE = Reading(made.NOW_MS, {}, {}, 0, 0, 0, 0, 0, 0, (), ("desk",))
PROBES = ("web", "api", "db")


def watch(*rules: Rule, probes: tuple[str, ...] = PROBES) -> Watch:
    plan = made.plan([made.probe(probe_id) for probe_id in probes], *rules)
    made_watch = Watch(plan)
    made_watch.revise(plan, made.NOW_MS)
    return made_watch


def written(of: Watch, reading: Reading = IDLE) -> str:
    return "".join(Exposition(of).chunks(reading))


def value(text: str, name: str, **labels: str) -> float | None:
    """The value of one sample; `None` when it is not there."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def busy() -> tuple[Watch, Reading]:
    """A bit of everything."""
    of = watch(made.rule(), probes=(*PROBES, "new"))
    of.observe(made.sample("web", Status.UP))
    of.observe(made.sample("api", Status.DOWN))
    of.observe(made.sample("db", Status.UNKNOWN))
    return of, replace(
        IDLE,
        samples={("fake", Status.UP): 7, ("fake", Status.DOWN): 1},
        missed={"web": 3},
        runs_in_flight=2,
        runs_waiting=1,
        effects_waiting=5,
        decisions_journaled=4,
        rollups_waiting=7,
        rollup_samples_dropped=8,
        outbox=[
            OutboxDepth("desk", OutboxState.WAITING, 2, made.NOW_MS - 90_000),
            OutboxDepth("desk", OutboxState.REJECTED, 1, made.NOW_MS - 120_000),
            OutboxDepth("gone", OutboxState.IN_FLIGHT, 1, made.NOW_MS + 5_000),
        ],
    )


def counted() -> Figures:
    """Figures of an incident that was taken up and resolved."""
    figures = Figures("1.2.3")
    figures.incidents_opened.labels("shop", "major").inc()
    figures.acknowledge.labels("shop", "major").observe(90)
    figures.resolve.labels("shop", "major").observe(86_401)
    return figures


def test_a_probe_is_up_or_down() -> None:
    text = written(busy()[0])

    assert value(text, "watchkeeper_probe_up", probe="web") == 1
    assert value(text, "watchkeeper_probe_up", probe="api") == 0


def test_a_probe_that_is_unknown_is_neither_up_nor_down() -> None:
    text = written(busy()[0])

    assert value(text, "watchkeeper_probe_up", probe="db") is None
    assert value(text, "watchkeeper_probe_unknown", probe="db") == 1
    assert value(text, "watchkeeper_probe_unknown", probe="web") == 0


def test_a_probe_that_has_not_run_yet_says_nothing() -> None:
    text = written(busy()[0])

    assert value(text, "watchkeeper_probe_up", probe="new") is None
    assert value(text, "watchkeeper_probe_unknown", probe="new") is None
    assert value(text, "watchkeeper_probe_duration_seconds", probe="new") is None


def test_a_probe_carries_its_ids_as_labels() -> None:
    assert 'watchkeeper_probe_up{probe="web",service="shop",prober="fake",category="health"} 1.0\n' in written(
        busy()[0]
    )


def test_what_a_run_measured_is_shown() -> None:
    text = written(busy()[0])

    assert value(text, "watchkeeper_probe_duration_seconds", probe="web") == 0.25
    assert value(text, "watchkeeper_probe_last_run_timestamp_seconds", probe="web") == made.NOW_MS / 1000
    assert value(text, "watchkeeper_probe_value", probe="web", value="connect_seconds") == 0.125


def test_alerts_and_incidents_are_counted() -> None:
    text = written(busy()[0])

    assert value(text, "watchkeeper_alerts", rule="down", state="firing") == 1
    assert value(text, "watchkeeper_alerts", rule="down", state="pending") == 0
    assert value(text, "watchkeeper_incidents_open", service="shop", severity="major") == 1
    assert value(text, "watchkeeper_evaluations_unanswered_total") == 1


def test_what_the_engine_does_is_shown() -> None:
    text = written(*busy())

    assert value(text, "watchkeeper_samples_total", prober="fake", status="up") == 7
    assert value(text, "watchkeeper_samples_total", prober="fake", status="unknown") == 0
    assert value(text, "watchkeeper_probe_missed_runs_total", probe="web") == 3
    assert value(text, "watchkeeper_probe_missed_runs_total", probe="api") == 0
    assert value(text, "watchkeeper_probes") == 4
    assert value(text, "watchkeeper_rules") == 1
    assert value(text, "watchkeeper_runs_in_flight") == 2
    assert value(text, "watchkeeper_runs_waiting") == 1
    assert value(text, "watchkeeper_store_effects_waiting") == 5
    assert value(text, "watchkeeper_store_journal_decisions") == 4


def test_the_outbox_is_shown_for_each_backend_also_for_one_that_is_gone() -> None:
    text = written(*busy())

    assert value(text, "watchkeeper_outbox_depth", backend="desk", state="waiting") == 2
    assert value(text, "watchkeeper_outbox_depth", backend="desk", state="in_flight") == 0
    assert value(text, "watchkeeper_outbox_depth", backend="gone", state="in_flight") == 1
    assert value(text, "watchkeeper_outbox_oldest_age_seconds", backend="desk") == 120
    assert value(text, "watchkeeper_outbox_oldest_age_seconds", backend="gone") == 0
    assert value(written(watch()), "watchkeeper_outbox_oldest_age_seconds", backend="desk") == 0


def test_each_family_has_its_help_and_type_once_and_its_samples_together() -> None:
    of, reading = busy()
    text = generate_latest(counted().registry).decode() + written(of, reading)
    heads = Counter(re.findall(r"^# (HELP|TYPE) (\S+)", text, re.MULTILINE))
    names = [line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    families = [re.sub(r"_(bucket|count|sum|created)$", "", name) for name in names]

    assert set(heads.values()) == {1}
    assert {name for kind, name in heads if kind == "HELP"} == {name for kind, name in heads if kind == "TYPE"}
    runs = [name for name, before in zip(families, [None, *families], strict=False) if name != before]
    assert len(runs) == len(set(runs))


def test_a_backend_is_up_unless_it_refuses() -> None:
    text = written(watch(), replace(IDLE, backends=("desk", "snow"), refusing={"snow": "connection refused"}))

    assert value(text, "watchkeeper_backend_up", backend="desk") == 1
    assert value(text, "watchkeeper_backend_up", backend="snow") == 0
    assert "connection refused" not in text


def test_names_end_in_base_units_and_counters_in_total() -> None:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", written(*busy()), re.MULTILINE))

    assert all(name.startswith("watchkeeper_") for name in kinds)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert not [name for name in kinds if re.search("_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)", name)]


def test_prometheus_accepts_every_family() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing: install prometheus")
    of, reading = busy()
    of.observe(replace(made.sample("web"), values={"a": float("nan"), "b": float("inf"), "c": float("-inf")}))
    text = generate_latest(counted().registry).decode() + written(of, reading)

    check = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=20
    )

    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
)


@given(TEXTS)
def test_any_text_can_be_a_label(text: str) -> None:
    line = f"up{{{labels_text(name=text)}}} 1\n"

    [family] = text_string_to_metric_families(line)

    assert line.count("\n") == 1
    assert family.samples[0].labels == {"name": text}


@given(st.dictionaries(TEXTS.filter(bool), st.floats(), max_size=5))
def test_any_value_that_a_run_measured_can_be_read_again(values: Mapping[str, float]) -> None:
    of = watch(probes=("web",))
    of.observe(Sample("web", made.NOW_MS, Status.UP, 0.25, values))

    families = {family.name: family for family in text_string_to_metric_families(written(of))}

    read = {sample.labels["value"]: sample.value for sample in families["watchkeeper_probe_value"].samples}
    assert {name: repr(float(number)) for name, number in read.items()} == {
        name: repr(number) for name, number in values.items()
    }


def test_no_piece_holds_more_probes_than_are_written_in_one_go() -> None:
    of = watch(probes=tuple(f"probe-{n}" for n in range(2 * CHUNK + 1)))
    for probe_id in of.plan.probes:
        of.observe(made.sample(probe_id))

    pieces = list(Exposition(of).chunks(IDLE))

    assert max(piece.count("\n") for piece in pieces) <= CHUNK
    assert "".join(pieces).count("watchkeeper_probe_up{") == 2 * CHUNK + 1


def test_a_plan_that_changes_between_two_pieces_of_a_scrape_breaks_nothing() -> None:
    of = watch(made.rule())
    for probe_id in PROBES:
        of.observe(made.sample(probe_id))
    exposition = Exposition(of)
    scrape = exposition.chunks(IDLE)
    begun = [next(scrape) for _ in range(3)]

    of.revise(made.plan([made.probe("web"), made.probe("other")], made.rule()), made.NOW_MS)
    between = "".join(exposition.chunks(IDLE))
    text = "".join(begun) + "".join(scrape)

    assert value(text, "watchkeeper_probe_up", probe="web") == 1
    assert value(between, "watchkeeper_probe_up", probe="db") is None
    assert value("".join(exposition.chunks(IDLE)), "watchkeeper_probes") == 2
