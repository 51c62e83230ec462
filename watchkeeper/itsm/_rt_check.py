"""The self-test of a Request Tracker: what would make calls fail, and whom to ask for what."""

from collections.abc import Iterator

from watchkeeper.itsm._rt_api import PATH, Api, Queue
from watchkeeper.itsm._rt_options import CUSTOM_FIELD, Options
from watchkeeper.itsm._rt_record import number_of, quoted
from watchkeeper.itsm.base import Denied, Finding, Outcome

_NO_KEY = "wk-no-ticket-has-this-key"


def self_test(api: Api, options: Options) -> Iterator[Finding]:
    """What is wrong; nothing where all is well. Makes no ticket and changes none."""
    try:
        api.version()
    except Denied as outcome:
        yield Finding(
            f"RT does not let watchkeeper in: {outcome}. Ask the administrator whether its user is enabled, and "
            "its token was not revoked"
        )
        return
    except Outcome as outcome:
        yield Finding(f"RT can not be asked: {outcome}. Check `url`: {options.url}{PATH} is where RT 5 has REST 2")
        return
    try:
        for name in options.queues:
            yield from _of_queue(api, options, name)
    except Outcome as outcome:
        yield Finding(str(outcome))


def _of_queue(api: Api, options: Options, name: str) -> Iterator[Finding]:
    queue = api.queue(name)
    if queue is None:
        yield Finding(
            f"there is no queue {name!r}, or watchkeeper may not see it: create it, and give watchkeeper the rights "
            "SeeQueue, CreateTicket, ShowTicket, ShowTicketComments and ModifyTicket there"
        )
        return
    if not queue.may_create:
        yield Finding(f"watchkeeper may not make tickets in {name}: it needs the right CreateTicket there")
    if options.key_field not in queue.fields:
        yield Finding(
            f"{name} has no custom field {options.key_field!r}, or watchkeeper may not see it: create it (Admin, "
            "Custom Fields: Enter one value, applies to Tickets), apply it to the queue, and give watchkeeper the "
            "rights SeeCustomField and SetInitialCustomField"
        )
        return
    yield from _of_fields(api, options, queue)
    yield from _of_search(api, options)
    for newest in api.search(f"Queue = {quoted(name)} AND CF.{{{options.key_field}}} IS NOT NULL", newest=1):
        if newest.status.lower() not in [named for _, named in options.statuses_in(newest.queue).named()]:
            yield Finding(
                f"{number_of(newest.id)} has the status {newest.status!r}, which is not named in `statuses`: it "
                "counts as in progress"
            )


def _of_fields(api: Api, options: Options, queue: Queue) -> Iterator[Finding]:
    """Of the fields that new tickets get, those that RT would leave out without a word."""
    wanted = options.all_fields()
    names = [found[1] for name in wanted if (found := CUSTOM_FIELD.fullmatch(name))]
    names += [level.field for level in (options.impact, options.urgency) if level is not None]
    for field in dict.fromkeys(names):
        if field not in queue.fields:
            yield Finding(
                f"{queue.name} has no custom field {field!r}, or watchkeeper may not see it: tickets go without it"
            )
    for owner in wanted.get("Owner", ()):
        if not api.has_user(str(owner)):
            yield Finding(f"there is no user {owner!r} to own tickets")


def _of_search(api: Api, options: Options) -> Iterator[Finding]:
    if api.search(f"CF.{{{options.key_field}}} = {quoted(_NO_KEY)}"):
        yield Finding(
            f"a search for a key that no ticket has finds tickets: see that {options.key_field!r} is an ordinary "
            "custom field of tickets"
        )
