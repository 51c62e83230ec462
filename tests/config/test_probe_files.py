"""Probe files: defaults, `each`, schedules, and what is said of mistakes."""

import pytest

from tests.config.folder import DAEMON, PROBES, Folder
from watchkeeper.domain.probe import Category, Cron, Every, Probe
from watchkeeper.schema.fields import Secret

DURATION = "accepted is a duration with its unit, such as 30s, 5m, 4h, 30d or 1h30m"
CRON = "accepted are five fields, minute hour day month weekday, such as 30 6 * * mon-fri"
SECRET = "accepted is {env: NAME}, {file: PATH} or {credential: NAME}"


def probes_of(folder: Folder, text: str) -> dict[str, Probe]:
    folder.write("probes.yaml", text)
    return dict(folder.load().plan.probes)


def test_a_probe_gets_what_is_usual(folder: Folder) -> None:
    probe = probes_of(folder, PROBES)["home"]
    assert (probe.prober, probe.service, probe.category) == ("http", "shop", Category.HEALTH)
    assert (probe.schedule, probe.timeout_ms, probe.labels) == (Every(60_000), 10_000, {})
    assert probe.options.url == "https://shop.example/"


def test_defaults_fill_in_what_a_probe_does_not_say(folder: Folder) -> None:
    probes = probes_of(
        folder,
        """\
defaults: {service: shop, every: 30s, timeout: 5s, category: capacity, labels: {env: prod, zone: eu}}
probes:
  - {id: plain, prober: http, url: https://a/}
  - {id: own, prober: http, url: https://a/, every: 1m, timeout: 7s, category: health, labels: {zone: cn, x: y}}
  - {id: nightly, prober: http, url: https://a/, cron: 30 6 * * mon-fri, timezone: Asia/Shanghai}
""",
    )
    plain, own, nightly = probes.values()
    assert (plain.schedule, plain.timeout_ms, plain.category) == (Every(30_000), 5000, Category.CAPACITY)
    assert plain.labels == {"env": "prod", "zone": "eu"}
    assert (own.schedule, own.timeout_ms, own.category) == (Every(60_000), 7000, Category.HEALTH)
    assert own.labels == {"env": "prod", "zone": "cn", "x": "y"}
    assert nightly.schedule == Cron("30 6 * * mon-fri", "Asia/Shanghai")


def test_a_default_cron_gives_way_to_an_interval(folder: Folder) -> None:
    text = "defaults: {cron: 0 3 * * *, timezone: UTC}\n" + PROBES
    assert probes_of(folder, text)["home"].schedule == Cron("0 3 * * *", "UTC")
    assert probes_of(folder, text + "    every: 20s\n")["home"].schedule == Every(20_000)


def test_a_probe_that_runs_often_has_a_timeout_to_match(folder: Folder) -> None:
    assert probes_of(folder, PROBES + "    every: 2s\n")["home"].timeout_ms == 2000


def test_each_makes_one_probe_of_each_combination(folder: Folder) -> None:
    probes = probes_of(
        folder,
        """\
probes:
  - id: "{host}-{port}"
    prober: http
    service: shop
    each: {host: [a, b], port: [80, 8080], scheme: [http]}
    url: "{scheme}://{host}.example:{port}/{other}"
    labels: {host: "{host}"}
    expect: {body: {contains: "I am {host}"}}
""",
    )
    assert list(probes) == ["a-80", "a-8080", "b-80", "b-8080"]
    last = probes["b-8080"]
    assert last.options.url == "http://b.example:8080/{other}"
    assert last.options.expect.body.contains == "I am b"
    assert last.labels == {"host": "b"}


def test_a_probers_own_paths_and_secrets_are_found_beside_the_file(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("probes.yaml", "more/probes.yaml"))
    folder.write(
        "more/probes.yaml",
        "probes: [{id: d, prober: dump, service: shop, path: dumps/*.gz, min_size: 1GiB, password: {file: key}}]\n",
    )
    options = folder.load().plan.probes["d"].options
    assert options.path == f"{folder.path}/more/dumps/*.gz"
    assert options.min_size == 1024**3
    assert options.password == Secret("file", f"{folder.path}/more/key")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evry: 30s", ("6:5: probes[home].evry: unknown key (did you mean 'every'?); accepted: category, critical, "
         "cron, each, every, expect, follow_redirects, headers, id, keep_alive, labels, max_size, method, "
         "parents, prober, service, timeout, timezone, url, verify")),
        ("expect: {statsu: [200]}", ("6:14: probes[home].expect.statsu: unknown key (did you mean 'status'?); "
         "accepted: body, json, status, within")),
        ("every: 30", f"6:12: probes[home].every: 30 has no unit: {DURATION}"),
        ("every: 30 seconds", f"6:12: probes[home].every: '30 seconds' is not a duration: {DURATION}"),
        ("every: 30MB", f"6:12: probes[home].every: '30MB' is not a duration: {DURATION}"),
        ("every: 0s", "6:12: probes[home].every: must be at least 100ms: what is shorter measures this machine"),
        ("every: 99ms", "6:12: probes[home].every: must be at least 100ms: what is shorter measures this machine"),
        ("timeout: 1ms", "6:14: probes[home].timeout: must be at least 100ms: what is shorter measures this machine"),
        ("every: 2000y", "6:12: probes[home].every: '2000y' is over a thousand years"),
        ("max_size: 1024", ("6:15: probes[home].max_size: 1024 has no unit: accepted is a size with its unit, such "
         "as 500MB or "
         "10GiB")),
        ("max_size: 5m", ("6:15: probes[home].max_size: '5m' is not a size: accepted is a size with its unit, such "
         "as 500MB or "
         "10GiB")),
        ("cron: 30 6 * *", f"6:11: probes[home].cron: '30 6 * *' is not a cron expression: {CRON}"),
        ("cron: 61 6 * * *", f"6:11: probes[home].cron: '61 6 * * *' is not a cron expression: {CRON}"),
        ("cron: 0 6 * * 1-999999999", (f"6:11: probes[home].cron: '0 6 * * 1-999999999' is not a cron expression: "
         f"{CRON}")),
        ("cron: 0 6 * * */0", f"6:11: probes[home].cron: '0 6 * * */0' is not a cron expression: {CRON}"),
        ("timezone: Europe/Berlin", "6:15: probes[home].timezone: belongs to cron, and there is none"),
        ("timeout: 61s", ("6:14: probes[home].timeout: is longer than every (1m): a run must end before the next "
         "begins")),
        ("labels: {a-b: c}", ("6:14: probes[home].labels.a-b: 'a-b' is not accepted: it must match "
         "^[A-Za-z_][A-Za-z0-9_]*$")),
        ("labels: {a: 3}", "6:17: probes[home].labels.a: must be a text"),
        ("category: helth", ("6:15: probes[home].category: 'helth' is not accepted (did you mean 'health'?): "
         "one of health, capacity, backup")),
        ("each: {n: []}", "6:15: probes[home].each.n: must have at least one entry"),
        ("each: {n: [true]}", "6:16: probes[home].each.n[0]: must be a text or a whole number"),
        ("each: [a]", "6:11: probes[home].each: must be a mapping (key: value)"),
        ("expect: {status: []}", "6:22: probes[home].expect.status: must have at least one entry"),
        ("headers: {Accept: {envv: X}}", (f"6:23: probes[home].headers.Accept: must say where the secret is kept: "
         f"{SECRET}")),
    ],
)  # fmt: skip
def test_a_mistake_is_found(folder: Folder, line: str, said: str) -> None:
    folder.write("probes.yaml", f"{PROBES}    {line}\n")
    assert folder.problem() == f"probes.yaml:{said}"


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("{prober: http, service: shop, url: https://a/}", "2:5: probes[0].id: is required and not set"),
        ("{id: x, service: shop, url: https://a/}", "2:5: probes[x].prober: is required and not set"),
        ("{id: x, prober: http, url: https://a/}", "2:5: probes[x].service: is required and not set"),
        ("{id: x, prober: http, service: shop}", "2:5: probes[x].url: is required and not set"),
        ("{id: x, prober: htpt, service: shop}", ("2:21: probes[x].prober: there is no prober 'htpt' (did you mean "
         "'http'?); "
         "accepted: dump, http, volume")),
        ("{id: x, prober: http, service: shpo, url: https://a/}", ("2:36: probes[x].service: there is no service "
         "'shpo' "
         "(did you mean 'shop'?); there is shop")),
        ("{id: a b, prober: http, service: shop, url: https://a/}", ("2:10: probes[a b].id: 'a b' is not accepted: "
         "it must match ^[A-Za-z0-9][A-Za-z0-9._:@/-]*$")),
        ("7", "2:5: probes[0]: must be a mapping (key: value)"),
        ("{id: x, prober: volume, service: shop, path: 3}", "2:50: probes[x].path: must be a text"),
        ("{id: x, prober: http, service: shop, url: https://a/, every: 5s, cron: 0 6 * * *}", ("2:5: probes[x]: "
         "every and cron "
         "are both set: a probe has one of them")),
        ("{id: x, prober: http, service: shop, url: https://a/, cron: 0 6 * * *, timezone: Europe/Berln}",
         ("2:86: probes[x].timezone: 'Europe/Berln' is not a time zone: accepted is a name such as Europe/Berlin or "
          "UTC")),
        ("{id: x, prober: http, service: shop, url: 'https://me:hunter2@a/'}", ("2:47: probes[x].url: a secret does "
         "not stand "
         "in the file: take user and password out of the URL")),
        ("{id: x, prober: http, service: shop, url: https://a/, headers: {Authorization: hunter2}}", ("2:68: "
         "probes[x].headers: "
         f"Authorization: a secret does not stand in the file: {SECRET}")),
        ("{id: x, prober: dump, service: shop, path: a, password: hunter2}",
         f"2:61: probes[x].password: a secret does not stand in the file: {SECRET}"),
        ("{id: x, prober: dump, service: shop, path: a, password: {env: A, file: hunter2}}",
         f"2:61: probes[x].password: must say where the secret is kept: {SECRET}"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_whole_probe_is_found(folder: Folder, probe: str, said: str) -> None:
    folder.write("probes.yaml", f"probes:\n  - {probe}\n")
    folder.write("rules.yaml", "groups: []\n")
    assert folder.problem() == f"probes.yaml:{said}"
    assert "hunter2" not in folder.problem()


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ("{service: shpo}", ("1:21: defaults.service: there is no service 'shpo' (did you mean 'shop'?); there is "
         "shop")),
        ("{timeout: 2m}", "1:21: defaults.timeout: is longer than every (1m): a run must end before the next begins"),
        ("{url: https://a/}", ("1:12: defaults.url: unknown key; accepted: category, critical, cron, every, labels, "
         "parents, service, timeout, timezone")),
        ("[]", "1:11: defaults: must be a mapping (key: value)"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_defaults_is_found_there(folder: Folder, defaults: str, said: str) -> None:
    service = "" if "service" in defaults else "service: shop, "
    text = f"defaults: {defaults}\nprobes:\n  - {{id: x, prober: http, {service}url: https://a/}}\n"
    folder.write("probes.yaml", text)
    assert folder.problem() == f"probes.yaml:{said}"


def test_an_id_is_given_once_over_all_files(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("[probes.yaml]", "[probes.yaml, more.yaml]"))
    folder.write("more.yaml", "# another file\n" + PROBES)
    said = f"more.yaml:3:9: probes[home].id: the id 'home' is taken by the probe at {folder.path}/probes.yaml:2:9"
    assert folder.problem() == said.replace(f"{folder.path}/", "")


def test_a_second_use_of_an_id_is_found_though_the_first_has_a_mistake(folder: Folder) -> None:
    folder.write("probes.yaml", f"{PROBES}    evry: 1s\n" + PROBES.partition("\n")[2])
    places = [line.split(": ")[0] for line in folder.problems()]
    assert places == ["probes.yaml:6:5", "probes.yaml:7:9"]


EACH = "probes:\n  - id: {id}\n    prober: http\n    service: shop\n    url: https://a/\n    each: {each}\n"


@pytest.mark.parametrize(
    ("name", "each", "said"),
    [
        ("x", "{a: [1, 2]}", ("2:9: probes[x].id: must hold {a}, or several of the probes that `each` makes have one "
         "id")),
        ("'{a}'", "{a: [1, 2], b: [1, 2]}", ("2:9: probes[{a}].id: must hold {b}, or several of the probes that "
         "`each` makes "
         "have one id")),
        ("'{a}'", "{a: [1, 1]}", "2:9: probes[{a}].id: the id '1' is taken by the probe at probes.yaml:2:9"),
        ("'{a}{b}{c}'", f"{{a: &n {list(range(100))}, b: *n, c: *n}}", ("6:11: probes[{a}{b}{c}].each: makes 1000000 "
         "probes; "
         "accepted are up to 100000")),
    ],
)  # fmt: skip
def test_combinations_that_do_not_make_probes_of_their_own_are_found(
    folder: Folder, name: str, each: str, said: str
) -> None:
    folder.write("probes.yaml", EACH.replace("{id}", name).replace("{each}", each))
    assert folder.problem() == f"probes.yaml:{said}"


def test_a_mistake_in_all_combinations_is_told_once(folder: Folder) -> None:
    text = EACH.replace("{id}", "'x{a}'").replace("{each}", f"{{a: {list(range(300))}}}")
    folder.write("probes.yaml", text + "    evry: 3s\n")
    assert folder.problem().startswith("probes.yaml:7:5: probes[x{a}].evry: unknown key (did you mean 'every'?)")
