"""What the configuration says of problems."""

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.domain.recurrence import Override, ProblemPolicy, Thresholds

DAY, HOUR = 86_400_000, 3_600_000
RULE = "groups: [{{name: all, rules: [{{id: r, when: up, {body}}}]}}]\n"


def test_problems_are_opened_after_three_times_in_a_fortnight(folder: Folder) -> None:
    assert folder.load().plan.problems == ProblemPolicy()
    assert ProblemPolicy().thresholds == Thresholds(3, 14 * DAY)


def test_all_that_is_said_of_problems_is_taken_over(folder: Folder) -> None:
    folder.write("rules.yaml", RULE.format(body="problem: {after: 5}"))
    said = "{after: 2, within: 7d, downtime: 4h, flapping: 2, reopen_within: 60d, services: {shop: off}}"
    folder.write("watchkeeper.yaml", f"{DAEMON}problems: {said}\n")
    policy = folder.load().plan.problems
    assert policy.thresholds == Thresholds(2, 7 * DAY, 4 * HOUR, 2)
    assert (policy.is_on, policy.reopen_within_ms) == (True, 60 * DAY)
    assert (dict(policy.rules), dict(policy.services)) == ({"r": Override(after=5)}, {"shop": None})
    assert policy.thresholds_of("r", "shop") == Thresholds(5, 7 * DAY, 4 * HOUR, 2)


def test_what_the_daemons_file_says_of_a_rule_goes_before_what_it_says_itself(folder: Folder) -> None:
    folder.write("rules.yaml", RULE.format(body="problem: off"))
    folder.write("watchkeeper.yaml", f"{DAEMON}problems: {{rules: {{r: {{within: 30d}}}}}}\n")
    assert folder.load().plan.problems.thresholds_of("r", "shop") == Thresholds(3, 30 * DAY)


def test_problems_may_be_off(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}problems: off\n")
    assert folder.load().plan.problems.thresholds_of("r", "shop") is None


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ("{rules: {shop-dwn: off}}", "problems.rules.shop-dwn: there is no rule 'shop-dwn'"),
        ("{services: {shp: {after: 2}}}", "there is no service 'shp' (did you mean 'shop'?); there is shop"),
        ("{after: 1}", "problems.after: "),
        ("{within: 91d}", "problems.within: must be at most 90d: what is older is not counted"),
        ("never", "problems: 'never' is not accepted: off, or a mapping such as {after: 3, within: 14d}"),
        ("{rules: {x: on}}", "'on' is not accepted: off, or a mapping"),
        ("{often: 3}", "problems.often"),
        (
            "{rules: {r: {afer: 2}}}",
            "problems.rules.r.afer: unknown key (did you mean 'after'?); accepted: after, downtime, flapping, within",
        ),
        (
            "{services: {shop: {reopen_within: 3d}}}",
            "problems.services.shop.reopen_within: unknown key (did you mean 'within'?); accepted: after, downtime,",
        ),
    ],
)
def test_a_mistake_is_found(folder: Folder, problems: str, said: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}problems: {problems}\n")
    assert any(said in one for one in folder.problems()), folder.problems()


def test_a_mistake_in_a_rule_is_found(folder: Folder) -> None:
    folder.write("rules.yaml", RULE.format(body="problem: {within: 14}"))
    assert "problem.within: 14 has no unit" in folder.problem()


def test_names_are_not_doubted_where_a_rule_can_not_be_read(folder: Folder) -> None:
    folder.write("rules.yaml", RULE.format(body="severity: bad"))
    folder.write("watchkeeper.yaml", f"{DAEMON}problems: {{rules: {{other: off}}}}\n")
    assert not any("there is no rule" in one for one in folder.problems())
