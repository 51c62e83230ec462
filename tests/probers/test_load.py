"""The load prober, on this machine."""

import os

import pytest

from tests.probers.asking import ask, run
from watchkeeper.domain.probe import Status


def test_the_load_is_told_of_the_machine_and_of_each_cpu() -> None:
    before = os.getloadavg()
    sample = run(ask("load", {}))
    assert sample.status is Status.UP
    assert sample.values["cpus"] == os.cpu_count()
    for minutes, load in zip((1, 5, 15), before, strict=True):
        assert sample.values[f"load{minutes}"] == pytest.approx(load, abs=0.5)
        assert sample.values[f"load{minutes}_per_cpu"] == sample.values[f"load{minutes}"] / sample.values["cpus"]
    assert f"the load is {sample.values['load1']:.2f}, " in sample.message
