"""CEL for Python: what a compilation and an evaluation cost, and which mistakes are found when.

Runs with whichever binding is importable: cel-expr-python (Google's C++ implementation) or
common-expression-language (the Rust implementation): `python bench/cel.py`. Give both a virtual environment of
their own: they do not hinder each other, but neither is to be measured with the other loaded.
"""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

EXPRESSION = 'values.used_percent > 90.0 && status == "up"'
MISTAKES = {
    "syntax": 'values.used_percent > 90.0 && && status == "up"',
    "unknown name": 'values.used_prcent > 90.0 && status == "up"',
    "unknown function": 'avgg("used_percent", "10m") > 90.0',
    "wrong type": 'values.used_percent > "90"',
    "not true or false": "values.used_percent + 1.0",
    "whole number and decimals": "values.used_percent > 90",
}
DATA = {"used_percent": 93.5, "status": "up"}

Compile = Callable[[str], Any]
Evaluate = Callable[[Any], Any]


def cpp() -> tuple[str, Compile, Evaluate]:
    from cel_expr_python import cel

    names = {"values.used_percent": cel.Type.DOUBLE, "status": cel.Type.STRING}
    environment = cel.NewEnv(variables=names)

    def evaluate(program: Any) -> Any:
        data = {"values.used_percent": DATA["used_percent"], "status": DATA["status"]}
        return program.eval(data=data).value()

    return "cel-expr-python", environment.compile, evaluate


def rust() -> tuple[str, Compile, Evaluate]:
    sys.path = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    import cel  # and not this file

    def evaluate(program: Any) -> Any:
        return program.execute({"values": {"used_percent": DATA["used_percent"]}, "status": DATA["status"]})

    return "common-expression-language", cel.compile, evaluate


def microseconds(call: Callable[[], object], times: int) -> float:
    """Of one call: the median of seven rounds."""
    rounds = []
    for _ in range(7):
        began = perf_counter()
        for _ in range(times):
            call()
        rounds.append((perf_counter() - began) / times * 1e6)
    return median(rounds)


def import_ms(module: str) -> float:
    """Of a fresh interpreter, beyond what it takes to start."""

    def run(code: str) -> float:
        began = perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (perf_counter() - began) * 1000

    return median(run(f"import {module}") for _ in range(9)) - median(run("pass") for _ in range(9))


def said_of(text: str, compile_: Compile, evaluate: Evaluate) -> str:
    try:
        program = compile_(text)
    except Exception as error:  # noqa: BLE001  # which ones there are is what is asked
        return f"at compile time: {type(error).__name__}: {' '.join(str(error).split())[:150]}"
    try:
        answer = evaluate(program)
    except Exception as error:  # noqa: BLE001
        return f"when evaluated: {type(error).__name__}: {' '.join(str(error).split())[:150]}"
    return f"not at all: {answer!r}"


def main() -> None:
    use, module = (cpp, "cel_expr_python.cel") if find_spec("cel_expr_python") else (rust, "cel")
    name, compile_, evaluate = use()
    program = compile_(EXPRESSION)
    assert evaluate(program) is True
    print(f"{name}, Python {sys.version.split()[0]}: {EXPRESSION}")
    print(f"  import    {import_ms(module):8.1f} ms")
    print(f"  compile   {microseconds(lambda: compile_(EXPRESSION), 300):8.1f} µs")
    print(f"  evaluate  {microseconds(lambda: evaluate(program), 20_000):8.2f} µs")
    for what, text in MISTAKES.items():
        print(f"  {what}: {said_of(text, compile_, evaluate)}")


if __name__ == "__main__":
    main()
