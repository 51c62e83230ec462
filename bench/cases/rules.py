"""How quickly rules are evaluated: samples of 10,000 probes through the watch, two rules on each."""

from statistics import median
from time import process_time
from typing import Final

from bench.report import Result
from bench.stage import Stage

_PROBES: Final = 10_000
_ENOUGH: Final = 100_000  # evaluations a second: 10,000 probes with two rules every second are 20,000

RULES: Final = """\
groups:
  - name: measured
    rules:
      - {id: down, when: status == "down", for: 1m}
      - {id: full, when: values.used_percent > 90, for: 5m}
"""


def run(stage: Stage) -> Result:
    from watchkeeper.app.parts import load_config  # all of watchkeeper: a mistake in it shall fail this case only
    from watchkeeper.domain.probe import Sample, Status
    from watchkeeper.domain.watch import Watch

    result = Result("rules", "10,000 probes, two rules each, all well")
    folder = stage.new_folder()
    probes = "".join(f"  - {{id: p{n}, prober: disk, path: /x{n}}}\n" for n in range(_PROBES))
    (folder / "probes.yaml").write_text(f"defaults: {{service: s, every: 30s}}\nprobes:\n{probes}")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "config.yaml").write_text("probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices: {s: {}}\n")
    plan = load_config(folder / "config.yaml").plan
    watch = Watch(plan)
    watch.revise(plan, 0)
    rounds = []
    for number in range(1, 4 if stage.options.quick else 12):
        at_ms = number * 30_000
        samples = [
            Sample(f"p{n}", at_ms, Status.UP, 0.1, {"used_percent": 50.0, "free_bytes": 1e9}, {}, "50% used")
            for n in range(_PROBES)
        ]
        began = process_time()
        for sample in samples:
            watch.observe(sample)
        rounds.append(process_time() - began)
    per_s = 2 * _PROBES / median(rounds)
    result.at_least("evaluations, on one core", per_s, _ENOUGH, "/s", 0)
    result.raw["CPU seconds per 10,000 samples"] = rounds
    return result
