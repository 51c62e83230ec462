"""How services do, measured from what is stored."""

from collections.abc import Iterator, Sequence
from typing import Final

from watchkeeper.domain.plan import Plan
from watchkeeper.domain.service import Service
from watchkeeper.domain.servicelevel import Report, Standing, report_of, standing_of_service, whole_span
from watchkeeper.domain.spans import Span
from watchkeeper.store.availability import histories
from watchkeeper.store.database import Database

AT_ONCE: Final = 250
"""Services whose past is in memory at once."""


def measure_service(
    database: Database, plan: Plan, service: Service, span: Span, until_ms: int, now_ms: int
) -> Report:
    """The availability of a service in a span.

    Args:
        until_ms: when the period ends that the span is the past of.

    Raises:
        StoreError: the database does not answer.
    """
    [history] = histories(database, plan, [service], span, now_ms).values()
    return report_of(service, history, span, until_ms)


def measure_all(database: Database, plan: Plan, services: Sequence[Service], now_ms: int) -> Iterator[Standing]:
    """How each service does over its periods.

    Raises:
        StoreError: the database does not answer.
    """
    for begin in range(0, len(services), AT_ONCE):
        some = services[begin : begin + AT_ONCE]
        known = histories(database, plan, some, whole_span(some, now_ms), now_ms)
        for service in some:
            yield standing_of_service(service, known[service.id], now_ms)
