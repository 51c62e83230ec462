"""The page about the rules that are shipped, made from their files: what a comment says above a rule is what it finds."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from watchkeeper.config.rulemodels import RuleModel
from watchkeeper.domain.units import format_duration_ms

RULES: Final = Path(__file__).parents[1] / "rules"
_NO_TEXT: Final = "yaml-language-server:"
_INTRODUCTION: Final = """\
The rules in `rules/`. They can be used as they stand: name the files that you want in `rule_files`. Those in `rules/more/` are
for what the example does not have. `rules/tests/` has tests that say of each when it fires and when it does not.

Rules that share an incident are about one trouble: whichever fires first opens the ticket, and the others join it, so that
what gets worse is a ticket of a higher priority and no second one.
"""
_COLUMNS: Final = """
| rule | what it finds | when | for | severity | incident |
| --- | --- | --- | --- | --- | --- |
"""


def page(note: str) -> str:
    """The page. `note` stands under its heading."""
    packs = [*sorted(RULES.glob("*.yaml")), *sorted(RULES.glob("more/*.yaml"))]
    return f"# Rule packs\n\n{note}{_INTRODUCTION}{''.join(map(_pack, packs))}"


def _pack(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    groups = yaml.safe_load("\n".join(lines))["groups"]
    parts = [f"\n## {path.relative_to(RULES.parent)}\n\n{_prose(_comment_above(lines, 'groups:'))}"]
    for group in groups:
        if len(groups) > 1:
            parts.append(f"\n### {group['name']}\n")
        if comment := _comment_above(lines, f"  - name: {group['name']}"):
            parts.append("\n" + _prose(comment))
        parts.append(_COLUMNS)
        parts += (_row(RuleModel.model_validate(rule), lines) for rule in group["rules"])
    return "".join(parts)


def _row(rule: RuleModel, lines: list[str]) -> str:
    finds = " ".join(_comment_above(lines, f"      - id: {rule.id}"))
    cells = (f"`{rule.id}`", finds, _condition(rule), _hold(rule), _severity(rule), _incident(rule))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _condition(rule: RuleModel) -> str:
    if rule.when == "false":
        return "nothing is known"
    over = f", until `{_one_line(rule.resolve_when)}`" if rule.resolve_when else ""
    return f"`{_one_line(rule.when)}`{over}"


def _hold(rule: RuleModel) -> str:
    written: Mapping[str, Any] = rule.model_dump(mode="json", by_alias=True)
    if isinstance(written["for"], dict):
        return f"{written['for']['failures']} samples in a row"
    silence = written["no_data"]["alert_after"] if isinstance(written["no_data"], dict) else 0
    return _duration(written["for"] or silence)


def _severity(rule: RuleModel) -> str:
    steps = (f"{step.severity} after {_duration(step.after)}" for step in rule.escalate)
    return ", ".join((rule.severity, *steps))


def _incident(rule: RuleModel) -> str:
    return f"`{rule.incident.key or rule.id}`, by {' and '.join(rule.incident.group_by)}"


def _duration(value_ms: int) -> str:
    return format_duration_ms(value_ms) if value_ms else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _comment_above(lines: list[str], line: str) -> list[str]:
    """The lines of the comment that stands right above a line, without what marks them as one."""
    end = lines.index(line)
    begin = end
    while begin and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    found = [one.lstrip().removeprefix("#").removeprefix(" ") for one in lines[begin:end]]
    return [one for one in found if not one.startswith(_NO_TEXT)]


def _prose(comment: Iterable[str]) -> str:
    """A comment as Markdown: what is indented in it is YAML."""
    return "\n".join(_fenced(comment)).strip("\n") + "\n"


def _fenced(comment: Iterable[str]) -> Iterator[str]:
    is_open = False
    for line in comment:
        if is_open != line.startswith("  "):
            is_open = not is_open
            yield "```yaml" if is_open else "```"
        yield line.removeprefix("  ")
    if is_open:
        yield "```"
