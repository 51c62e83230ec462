"""A short run of the fuzzer; `make fuzz` is the long one."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_bad_input_ends_in_data_or_an_error_of_ours(seed: int) -> None:
    # Not the time: other tests run beside this one.
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "700", "--seed", str(seed), "--slowest", "5"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "700 inputs" in run.stdout
