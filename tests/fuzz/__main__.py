"""Feeds the loader and the compilers with bad input, and says how often, how long at most, and what went wrong.

    python -m tests.fuzz [--inputs 100000] [--seed 1] [--slowest 0.1]

Whatever it is, reading it ends in data or in an error of ours, within the time; the exit status is 1 otherwise.
"""

import argparse
import gc
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

from tests.config.folder import VOLUME
from tests.config.scope import sample, scope
from tests.fuzz import inputs
from watchkeeper.app.parts import catalogue
from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.document import Document
from watchkeeper.config.expression import Compiler
from watchkeeper.config.load import load
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.ruletests import RuleTestReader
from watchkeeper.config.series import NotationError, number, parse, status
from watchkeeper.config.template import TemplateError, compile_template
from watchkeeper.domain.window import Unanswerable

MEMORY: Final = Path("/dev/shm")
SHIPPED: Final = ("config.example.yaml", "probes", "rules")


class Slow(NamedTuple):
    seconds: float
    what: str
    text: str


class Fuzz:
    """What is fed, and what came of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.slowest = Slow(0.0, "", "")
        self.failures: list[str] = []
        self._compiler = Compiler(VOLUME)
        self._files = {
            path.relative_to(inputs.ROOT): path.read_text()
            for name in SHIPPED
            for path in (
                [inputs.ROOT / name] if name.endswith("yaml") else sorted((inputs.ROOT / name).rglob("*.yaml"))
            )
        }
        for name, text in self._files.items():
            self._write(name, text)
        self._configuration = [name for name in self._files if "tests" not in name.parts]
        load(folder / "config.example.yaml", catalogue())  # what is imported once is no input's time
        self._tests = [name for name in self._files if "tests" in name.parts]

    def one(self) -> None:
        """Feeds one input of some kind."""
        kinds: tuple[tuple[str, float, Callable[[], str], Callable[[str], bool]], ...] = (
            ("condition", 0.40, lambda: inputs.condition(self.chance), self._condition),
            ("title", 0.22, lambda: inputs.title(self.chance), self._title),
            ("series", 0.13, lambda: inputs.series(self.chance), self._series),
            ("document", 0.10, lambda: inputs.document(self.chance), self._document),
            ("configuration", 0.12, lambda: "", self._load),
            ("rule tests", 0.03, lambda: "", self._rule_tests),
        )
        [(what, _, make, feed)] = self.chance.choices(kinds, [kind[1] for kind in kinds])
        text = make()
        self._shown = text
        began = process_time()
        try:
            accepted = feed(text)
        except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
            self.failures.append(f"{what}: {self._shown!r}\n{traceback.format_exc()}")
            accepted = False
        self.slowest = max(self.slowest, Slow(process_time() - began, what, self._shown))
        self.counts[f"{what} {'accepted' if accepted else 'refused'}"] += 1

    def _condition(self, text: str) -> bool:
        try:
            compiled = self._compiler.compile(text)
        except ExpressionError:
            return False
        with suppress(Unanswerable):
            compiled(scope(sample(values={"used_percent": 97.0, "free_bytes": 1e9}), compiled.spans_ms))
        return True

    def _title(self, text: str) -> bool:
        try:
            compiled = compile_template(text, [VOLUME])
        except TemplateError:
            return False
        compiled(scope(sample(values={"used_percent": 97.0}), compiled.spans_ms))
        return True

    def _series(self, text: str) -> bool:
        try:
            parse(text, self.chance.choice((number, status)))
        except NotationError:
            return False
        return True

    def _document(self, text: str) -> bool:
        try:
            Document(self._write(Path("one.yaml"), text))
        except ConfigError:
            return False
        return True

    def _load(self, _text: str) -> bool:
        name = self.chance.choice(self._configuration)
        # One rule file, so that the time is that of what is wrong and not of all that is right.
        rules = name if name.parts[0] == "rules" else Path("rules/capacity.yaml")
        self._shown = inputs.spoilt(self._files[name], self.chance)
        self._write(name, self._shown)
        try:
            load(self.folder / "config.example.yaml", catalogue(), (str(self.folder / rules),))
        except ConfigError:
            return False
        finally:
            self._write(name, self._files[name])
        return True

    def _rule_tests(self, _text: str) -> bool:
        name = self.chance.choice(self._tests)
        self._shown = inputs.spoilt(self._files[name], self.chance)
        self._write(name, self._shown)
        try:
            RuleTestReader(catalogue()).read(self.folder / name)
        except ConfigError:
            return False
        finally:
            self._write(name, self._files[name])
        return True

    def _write(self, name: Path, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="replace"))
        return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slowest", type=float, default=0.1, help="seconds of CPU that one input may take")
    options = parser.parse_args()
    began = process_time()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        fuzz = Fuzz(Path(folder), options.seed)
        gc.disable()  # what is cleared away is no input's time
        for number in range(options.inputs):
            fuzz.one()
            if number % 500 == 0:
                gc.collect()
    for what, count in sorted(fuzz.counts.items()):
        print(f"{what:<24} {count:>8}")
    print(f"{options.inputs} inputs, {process_time() - began:.0f} s of CPU, {len(fuzz.failures)} failures")
    print(f"slowest: {fuzz.slowest.seconds * 1000:.1f} ms, {fuzz.slowest.what}: {fuzz.slowest.text[:200]!r}")
    for failure in fuzz.failures[:5]:
        print(failure, file=sys.stderr)
    return int(bool(fuzz.failures) or fuzz.slowest.seconds > options.slowest)


if __name__ == "__main__":
    sys.exit(main())
