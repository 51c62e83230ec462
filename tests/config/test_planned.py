"""`maintenance`, `changes` and files of changes: what is accepted, and what is said of mistakes."""

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.app.parts import catalogue
from watchkeeper.config.codes import Code
from watchkeeper.config.load import Config, load
from watchkeeper.config.planned import ChangeBackend
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.windows import read_change_file
from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Matcher, Operator, Selection
from watchkeeper.domain.maintenance import Once, Recurring
from watchkeeper.domain.units import format_time
from watchkeeper.schema.fields import Secret


def with_maintenance(folder: Folder, entry: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}maintenance:\n  - {entry}\n")


def test_maintenance_comes_again_or_once_or_from_a_calendar(folder: Folder) -> None:
    text = """\
maintenance:
  - id: weekly-patch
    title: Patches
    services: [shop]
    cron: "0 2 * * sun"
    duration: 2h
    timezone: Asia/Shanghai
  - {id: move, probes: ["ho*"], match: ['severity="minor"'], from: 2026-11-28T22:00+08:00, to: 2026-11-29T02:00+08:00}
  - {id: move, probes: ["ho*"], timezone: Asia/Shanghai, from: 2026-11-29 22:00, to: 2026-11-30 02:00}
  - {id: plan, services: [shop], ical: plan.ics, summary: "*patch*", timezone: Europe/Berlin}
  - {id: far, services: [shop], ical: "webcal://example.com/plan.ics"}
  - {id: hidden, services: [shop], ical: {env: PLAN_URL}}
"""
    folder.write("watchkeeper.yaml", DAEMON + text)
    planned = folder.load().planned

    patch, move, other = planned.maintenance
    assert (patch.id, patch.title, patch.selection) == ("weekly-patch", "Patches", Selection(frozenset({"shop"})))
    assert isinstance(patch.times, Recurring)
    assert patch.times.text == "0 2 * * sun Asia/Shanghai for 2h"
    minor = Matcher("severity", Operator.IS, "minor")
    assert (move.title, move.selection) == ("move", Selection(probes=("ho*",), matchers=(minor,)))
    assert isinstance(move.times, Once)
    assert isinstance(other.times, Once)
    assert [format_time(one) for one in (*move.times.span, *other.times.span)] == [
        "2026-11-28 14:00:00Z",
        "2026-11-28 18:00:00Z",
        "2026-11-29 14:00:00Z",
        "2026-11-29 18:00:00Z",
    ]
    assert [(one.because, one.name, one.place, one.timezone, one.summary) for one in planned.calendars] == [
        (Because.MAINTENANCE, "maintenance/plan", f"{folder.path}/plan.ics", "Europe/Berlin", "*patch*"),
        (Because.MAINTENANCE, "maintenance/far", "https://example.com/plan.ics", "UTC", ""),
        (Because.MAINTENANCE, "maintenance/hidden", Secret("env", "PLAN_URL"), "UTC", ""),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{id: m, services: [shp], cron: "0 2 * * *", duration: 1h}',
         "6:24: maintenance[m].services[0]: there is no service 'shp' (did you mean 'shop'?); there is shop"),
        ('{id: m, probes: ["x-*"], cron: "0 2 * * *", duration: 1h}',
         "6:22: maintenance[m].probes[0]: no probe is like 'x-*'"),
        ('{id: m, cron: "0 2 * * *", duration: 1h}',
         "6:5: maintenance[m]: does not say what it is about: set services, probes or match"),
        ("{id: m, services: [shop]}",
         "6:5: maintenance[m]: has no times: accepted is one of cron with duration, from with to, or ical"),
        ('{id: m, services: [shop], cron: "0 2 * * *", duration: 1h, ical: a.ics}',
         "6:5: maintenance[m]: has cron and ical: accepted is one of cron with duration, from with to, or ical"),
        ('{id: m, services: [shop], cron: "0 2 * * *"}',
         "6:37: maintenance[m].cron: needs duration: how long a window lasts"),
        ('{id: m, services: [shop], cron: "0 2 1 * *", duration: 32d}',
         "6:60: maintenance[m].duration: accepted are up to 31d"),
        ('{id: m, services: [shop], cron: "0 0 * * *", duration: 1d}',
         "6:37: maintenance[m].cron: is due again just when the window is over: it would never end"),
        ('{id: m, services: [shop], cron: "0 2 * *", duration: 1h}',
         "6:37: maintenance[m].cron: '0 2 * *' is not a cron expression: accepted are five fields"),
        ('{id: m, services: [shop], cron: "0 2 * * *", duration: 1h, timezone: Mars/Base}',
         "6:74: maintenance[m].timezone: 'Mars/Base' is not a time zone: accepted is a name"),
        ("{id: m, services: [shop], from: 2026-11-28T22:00Z}",
         "6:5: maintenance[m]: from and to belong together; to is not set"),
        ("{id: m, services: [shop], from: 2026-11-28T22:00Z, to: 2026-11-28T22:00Z}",
         "6:60: maintenance[m].to: is not after from"),
        ("{id: m, services: [shop], from: 2026-11-28T22:00Z, to: 2027-11-28T22:00Z}",
         "6:60: maintenance[m].to: the window lasts 365d; accepted are up to 31d"),
        ("{id: m, services: [shop], from: 2026-11-28T22:00Z, to: 2026-11-28T23:00Z, duration: 1h}",
         "6:89: maintenance[m].duration: belongs to cron"),
        ("{id: m, services: [shop], from: 2026-11-28T22:00, to: 2026-11-28T23:00Z}",
         "6:37: maintenance[m].from: '2026-11-28T22:00' has no time zone: accepted is a date and a time"),
        ("{id: m, services: [shop], timezone: Europe/Berlin, from: 2026-03-29 02:30, to: 2026-03-29 09:00}",
         "6:62: maintenance[m].from: '2026-03-29 02:30' does not exist in Europe/Berlin"),
        ('{id: m, services: [shop], ical: "http://example.com/plan.ics"}',
         "6:37: maintenance[m].ical: is fetched over https:// only: what is on the way could silence anything"),
        ('{id: m, services: [shop], cron: "0 2 * * *", duration: 1h, summary: x}',
         "6:73: maintenance[m].summary: belongs to ical"),
        ('{id: m, match: ["low"], cron: "0 2 * * *", duration: 1h}',
         "6:21: maintenance[m].match[0]: 'low' is not a matcher: accepted is NAME=\"VALUE\" with =, !=, =~ or !~"),
    ],
)  # fmt: skip
def test_a_mistake_in_maintenance_is_found(folder: Folder, entry: str, said: str) -> None:
    with_maintenance(folder, entry)
    assert folder.problem().startswith(f"watchkeeper.yaml:{said}")


def test_windows_of_one_id_do_not_overlap(folder: Folder) -> None:
    first = "{id: m, services: [shop], from: 2026-11-28T22:00Z, to: 2026-11-28T23:00Z}"
    with_maintenance(folder, f"{first}\n  - {first.replace('22:00Z', '22:59Z', 1).replace('23:00Z', '23:59Z')}")
    said = "maintenance[m].from: overlaps with the window of 'm' that begins at 2026-11-28 22:00Z"
    assert folder.problem() == f"watchkeeper.yaml:7:37: {said}"

    again = '{id: m, services: [shop], cron: "0 2 * * *", duration: 1h}'
    with_maintenance(folder, f"{first}\n  - {again}")
    said = "maintenance[m].id: there is another 'm': only single windows may share an id"
    assert folder.problem() == f"watchkeeper.yaml:7:10: {said}"


def test_changes_come_from_files_and_calendars(folder: Folder) -> None:
    text = """\
changes:
  - {yaml: plan/approved changes.yaml}
  - {name: cab, ical: "https://example.com/cab.ics", services: [shop], cis: [CI1]}
"""
    folder.write("watchkeeper.yaml", DAEMON + text)
    planned = folder.load().planned

    [file], [calendar] = planned.change_files, planned.calendars
    assert (file.name, file.path) == ("approved-changes", folder.path / "plan/approved changes.yaml")
    assert (calendar.because, calendar.name) == (Because.CHANGE, "cab")
    assert calendar.selection == Selection(frozenset({"shop"}), frozenset({"CI1"}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{yaml: a.yaml, ical: a.ics}", "6:5: changes[0]: accepted is one of backend, yaml and ical"),
        ("{backend: desk, yaml: a.yaml}", "6:5: changes[0]: accepted is one of backend, yaml and ical"),
        ("{yaml: a.yaml, every: 2m}",
         "6:27: changes[0].every: belongs to backend: files and calendars are read every five minutes"),
        ("{backend: desk}", "6:15: changes[0].backend: 'desk' is no backend that has changes"),
        ("{backend: desk, every: 5s}", "6:28: changes[0].every: "),
        ("{yaml: a.yaml, services: [shop]}",
         "6:30: changes[0].services: belongs to ical: the file says it of each change"),
        ("{ical: a.ics}",
         "6:5: changes[0]: does not say what its changes are about: set services, cis or probes"),
        ("{yaml: a.yaml}\n  - {yaml: b/a.yaml}",
         "7:5: changes[1]: there is another source 'a': give it a name of its own"),
    ],
)  # fmt: skip
def test_a_mistake_in_sources_of_changes_is_found(folder: Folder, entry: str, said: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}changes:\n  - {entry}\n")
    assert folder.problem().startswith(f"watchkeeper.yaml:{said}")


CHANGES = """\
timezone: Asia/Shanghai
changes:
  - {id: CHG1, services: [shop], from: 2026-11-28 22:00, to: 2026-11-29 02:00}
"""


def test_a_file_of_changes_is_read(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}changes: [{{yaml: plan.yaml}}]\n")
    more = "  - {id: CHG2, title: Disks, cis: [CI7], from: 2026-11-28T22:00Z, to: 2026-11-28T23:00Z, state: done, outcome: failed}\n"  # noqa: E501
    folder.write("plan.yaml", CHANGES + more)
    [file] = folder.load().planned.change_files
    first, then = read_change_file(file)

    assert (first.id, first.title, first.backend, first.ref, first.state) == (
        "CHG1",
        "CHG1",
        "plan",
        "CHG1",
        "approved",
    )
    assert (format_time(first.from_ms), format_time(first.to_ms)) == ("2026-11-28 14:00:00Z", "2026-11-28 18:00:00Z")
    assert (then.title, then.state, then.outcome) == ("Disks", ChangeState.DONE, ChangeOutcome.FAILED)
    assert then.selection == Selection(cis=frozenset({"CI7"}))


def test_mistakes_in_a_file_of_changes_are_all_told(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}changes: [{{yaml: plan.yaml}}]\n")
    [file] = folder.load().planned.change_files
    more = """\
  - {id: CHG1, services: [shop], from: 2026-11-28 22:00, to: 2026-11-29 02:00}
  - {id: CHG2, services: [shp], from: 2026-11-28 22:00, to: 2027-11-29 02:00}
  - {id: CHG3, from: 2026-11-28 22:00, to: 2026-11-28 21:00}
"""
    folder.write("plan.yaml", CHANGES + more)
    with pytest.raises(ConfigError) as told:
        read_change_file(file)

    assert [str(problem).replace(f"{folder.path}/", "") for problem in told.value.problems] == [
        "plan.yaml:4:10: changes[CHG1].id: the change 'CHG1' is described twice",
        "plan.yaml:5:27: changes[CHG2].services[0]: there is no service 'shp' (did you mean 'shop'?); there is shop",
        "plan.yaml:5:61: changes[CHG2].to: the window lasts 365d4h; accepted are up to 31d",
        "plan.yaml:6:5: changes[CHG3]: does not say what it is about: set services, cis or probes",
        "plan.yaml:6:44: changes[CHG3].to: is not after from",
    ]


def test_a_file_of_changes_that_is_not_there_keeps_nothing_from_starting(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}changes: [{{yaml: plan.yaml}}]\n")
    [file] = folder.load().planned.change_files
    with pytest.raises(ConfigError, match=r"plan.yaml:1:1: there is no such file"):
        read_change_file(file)


SNOW = """\
itsm:
  default: snow
  backends:
    snow: {type: servicenow, url: "https://x.service-now.com", auth: {username: u, password: {env: P}}}
    desk: {type: local}
    old:
      type: servicenow
      url: https://x.service-now.com
      mode: events
      auth: {username: u, password: {env: P}}
"""


def of_backends(folder: Folder, *entries: str) -> Config:
    text = "".join(f"  - {entry}\n" for entry in entries)
    path = folder.write("watchkeeper.yaml", f"{DAEMON}{SNOW}changes:\n{text}")
    return load(path, catalogue())


def test_changes_come_from_ticket_backends(folder: Folder) -> None:
    assert of_backends(folder, "{backend: snow}").planned.change_backends == (ChangeBackend("snow", 120_000),)
    assert of_backends(folder, "{backend: snow, every: 1m}").planned.change_backends == (
        ChangeBackend("snow", 60_000),
    )


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["{backend: desk}"], "changes[0].backend: 'desk' is no backend that has changes: there is snow"),
        (["{backend: old}"], "changes[0].backend: 'old' is no backend that has changes: there is snow"),
        (
            ["{backend: snwo}"],
            "changes[0].backend: 'snwo' is no backend that has changes (did you mean 'snow'?): there",
        ),
        (["{backend: snow, name: cab}"], "changes[0].name: is that of the backend: leave it out"),
        (["{backend: snow, services: [shop]}"], "changes[0].services: belongs to ical: the backend says it of each"),
        (["{backend: snow}", "{backend: snow}"], "changes[1].backend: there is another source 'snow'"),
        (
            ["{yaml: a.yaml, name: snow}"],
            "changes[0].name: 'snow' is the name of a backend: give it a name of its own",
        ),
        (["{backend: snow, every: 2h}"], "changes[0].every: "),
    ],
)
def test_a_mistake_in_backends_of_changes_is_found(folder: Folder, entries: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        of_backends(folder, *entries)

    assert said in str(told.value)


@pytest.mark.parametrize(
    ("matcher", "said"),
    [
        ("service=shp", "there is no service 'shp' (did you mean 'shop'?); there is shop"),
        ("rule=dwn", "there is no rule 'dwn' (did you mean 'down'?); there is down"),
        ("probe=hme", "there is no probe 'hme' (did you mean 'home'?); there is home"),
        ("probe=@am/key", "there is no probe '@am/key'; there is home"),
    ],
)
def test_a_matcher_asks_for_what_there_is(folder: Folder, matcher: str, said: str) -> None:
    with_maintenance(folder, f"{{id: m, match: ['{matcher}'], cron: '0 2 * * sun', duration: 2h}}")
    assert folder.problem() == f"watchkeeper.yaml:6:21: maintenance[m].match[0]: {said}"


@pytest.mark.parametrize("matcher", ["service!=shp", "probe=~hm.*", 'rule=""', "severity=minor", "ci=CI1"])
def test_what_is_not_meant_as_one_name_is_not_looked_up(folder: Folder, matcher: str) -> None:
    with_maintenance(folder, f"{{id: m, match: ['{matcher}'], cron: '0 2 * * sun', duration: 2h}}")
    assert folder.load().warnings == ()


def test_a_label_that_no_probe_has_is_a_warning_unless_others_report_alerts(folder: Folder) -> None:
    with_maintenance(folder, "{id: m, match: ['env=test', 'probe=home'], cron: '0 2 * * sun', duration: 2h}")
    [warning] = folder.load().warnings
    assert (warning.code, warning.line) == (Code.MATCHER_MATCHES_NOTHING, 6)
    assert warning.text == "maintenance[m].match[0]: matches no probe now: none has the label 'env'"

    with_maintenance(folder, "{id: m, match: ['env=test', 'probe=@am/k'], cron: '0 2 * * sun', duration: 2h}")
    path = folder.path / "watchkeeper.yaml"
    path.write_text(path.read_text() + "sources: {am: {type: alertmanager, token: {env: AM}, service: shop}}\n")
    assert folder.load().warnings == ()
