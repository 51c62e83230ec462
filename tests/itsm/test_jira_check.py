"""The self-test of a Jira tells what would make calls fail, and whom to ask for what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.itsm.jira_backend import ITSM, made, secret
from tests.simulators import faults as f
from tests.simulators import jira_faults as jf
from tests.simulators.jira import Jira, running
from tests.simulators.jira_accounts import Token


def found(jira: Jira, folder: Path, **given: Any) -> list[str]:
    with made(jira, folder, **given) as backend:
        return [each.message for each in backend.check()]


@pytest.mark.parametrize("deployment", ["cloud", "server"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        ITSM,
        {**ITSM, "request_type": "25"},
        {**ITSM, "request_type": "get it help"},
        {"priority": {1: "highest"}, "resolution": "done", "link_type": "Relates"},
    ],
)
def test_nothing_is_found_where_all_is_well(tmp_path: Path, deployment: Any, given: dict[str, Any]) -> None:
    with running(deployment) as jira:
        assert found(jira, tmp_path, **given) == []
        assert jira.tracker.issues == {}


@pytest.mark.parametrize(
    ("break_it", "given", "said"),
    [
        (lambda j: j.site.deny("bot", "OPS", "BROWSE_PROJECTS"), {}, "there is no project OPS, or it is hidden"),
        (lambda j: j.site.deny("bot", "OPS", "CREATE_ISSUES"), {}, "lacks the permission Create Issues in OPS"),
        (lambda j: j.site.deny("bot", "OPS", "ADD_COMMENTS"), {}, "lacks the permission Add Comments in OPS"),
        (lambda j: j.site.deny("bot", "ITSM", "SERVICEDESK_AGENT"), ITSM, "would not be internal"),
        (lambda j: j.site.take_off_screen("OPS", "labels"), {}, "has no labels, by which tickets are found"),
        (lambda j: j.site.require("OPS", "customfield_10044"), {}, "without Customer: set customfield_10044"),
        (lambda j: j.site.link_types.clear(), {}, "no link type 'Problem/Incident' or 'Causes' or 'Relates'"),
        (lambda j: None, {"project": "NOPE"}, "there is no project NOPE, or it is hidden"),
        (lambda j: None, {"issue_type": "Incident"}, "OPS has no issue type 'Incident': it has Task, Bug"),
        (lambda j: None, {"problem_type": "Problem"}, "OPS has no issue type 'Problem': it has Task, Bug"),
        (lambda j: None, {"priority": {1: "P1"}}, "has no priority 'P1': it has Highest, High"),
        (lambda j: None, {"resolution": "Gone"}, "there is no resolution 'Gone': there is Done"),
        (lambda j: None, {"link_type": "Begets"}, "there is no link type 'Begets'"),
        (lambda j: None, {"fields": {"Customer": "me"}}, "has no field 'Customer'"),
        (lambda j: None, {"impact": {"field": "Reach"}}, "has no field 'Reach'"),
        (lambda j: None, {**ITSM, "impact": {"field": "Impact", "high": "Vast"}}, "Impact does not take 'Vast'"),
        (lambda j: None, {**ITSM, "request_type": "Outage"}, "there is no request type 'Outage'"),
        (lambda j: None, {"states": {"cancelled": ["Done"]}}, "tickets can not be resolved"),
        (lambda j: j.faults.always(f.SAYS_500), {}, "Jira can not be asked: failed (500)"),
        (lambda j: j.faults.always(jf.IS_SUSPENDED), {}, "Jira can not be asked"),
        (lambda j: j.faults.always(f.SAYS_LOGIN_PAGE), {}, "Jira can not be asked"),
        (lambda j: j.faults.always(f.RESETS), {}, "Jira can not be asked"),
    ],
)
@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_what_would_go_wrong_is_told(
    tmp_path: Path, deployment: Any, break_it: Callable[[Jira], None], given: dict[str, Any], said: str
) -> None:
    with running(deployment) as jira:
        break_it(jira)

        findings = found(jira, tmp_path, **given)

    assert any(said in each for each in findings), findings
    assert all("\n" not in each and len(each) < 500 for each in findings)


def test_wrong_credentials_are_told_once(tmp_path: Path) -> None:
    with running("cloud") as jira:
        jira.accounts.tokens["bot-token"] = Token("bot", expires_ms=0)
        [told] = found(jira, tmp_path)
        assert told.startswith("Jira does not let watchkeeper in: takes who asks for nobody")
    with running("server") as jira:
        [told] = found(jira, tmp_path, auth={"token": secret(tmp_path, "wrong")})
        assert told.startswith("Jira does not let watchkeeper in: does not know who asks (401): Unauthorized")
        assert len(jira.requests()) == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_self_test_that_is_disturbed_raises_nothing(tmp_path: Path, seed: int) -> None:
    with running("cloud") as jira:
        jira.faults.at_random(seed, 0.3, [each for each in (*f.REFUSED, *f.LOST) if "hang" not in each.name])

        assert found(jira, tmp_path)
