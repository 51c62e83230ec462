"""Earlier incidents are remembered after a restart, as far as tickets tell of them."""

from dataclasses import replace
from time import process_time

from sqlalchemy import insert

from tests.store import made
from watchkeeper.domain.earlier import MOST_KEYS, Earlier
from watchkeeper.domain.incident import Incident, Superseded, step
from watchkeeper.store import outbox, tables
from watchkeeper.store.database import Database
from watchkeeper.store.earlier import KEPT_MS, MOST_ROWS
from watchkeeper.store.record import begin_run, record, remember


def past(number: int, key: str, resolved_ms: int, ticket: str = "") -> Incident:
    one = replace(made.incident(number, key=key), ticket_number=ticket)
    return step(one, Superseded(resolved_ms))


def test_the_last_three_of_each_key_are_remembered(database: Database) -> None:
    begin_run(database, KEPT_MS, "1", ())
    for number, key in enumerate(["a", "b", "a", "a", "a"], start=1):
        record(database, [made.opened(past(number, key, KEPT_MS + number, f"T-{number}"))])
    record(database, [made.opened(made.incident(9, key="b"))])  # is open

    found = remember(database).earlier_incidents

    assert list(found) == ["b", "a"], "the newest last: it is forgotten last"
    assert [one.number for one in found["a"]] == ["INC-5", "INC-4", "INC-3"]
    assert found["b"] == (Earlier(2, 1_002, KEPT_MS + 2, "T-2"),)


def test_what_was_long_ago_is_not_remembered(database: Database) -> None:
    begin_run(database, KEPT_MS + 100, "1", ())
    record(database, [made.opened(past(1, "a", 100)), made.opened(past(2, "a", 101))])

    assert [one.id for one in remember(database).earlier_incidents["a"]] == [2]


def test_of_very_many_the_newest_are_remembered_and_soon(database: Database) -> None:
    begin_run(database, KEPT_MS, "1", ())
    record(database, [made.opened(past(1, "k0", KEPT_MS))])
    with database.write() as connection:
        row = dict(connection.execute(tables.incidents.select()).mappings().one())
        rows = [
            row | {"id": n, "key": f"k{n % (MOST_KEYS + 1)}", "resolved_ms": KEPT_MS + n}
            for n in range(2, MOST_ROWS + 5_000)
        ]
        connection.execute(insert(tables.incidents), rows)

    began = process_time()
    found = remember(database).earlier_incidents

    assert process_time() - began < 2
    assert sum(map(len, found.values())) <= MOST_ROWS
    assert max(one[0].id for one in found.values()) == MOST_ROWS + 4_999


def test_the_number_of_its_ticket_is_known_though_nobody_has_read_it_back(database: Database) -> None:
    begin_run(database, KEPT_MS, "1", ())
    one = made.incident(1, key="a")
    record(database, [made.opened(one), made.create(one)])
    claim = outbox.claim(database, "desk", 10_000)
    assert claim is not None
    outbox.settle_delivered(database, claim.commands, made.ticket(claim.command), 10_000)
    record(database, [made.over(one, at_ms=KEPT_MS)])

    assert remember(database).earlier_incidents["a"] == (Earlier(1, 1_001, KEPT_MS, "T-1"),)
