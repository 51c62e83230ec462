"""The codes of what `watchkeeper check` says: stable names, for machines that read it and people that look it up."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    INVALID = "invalid"
    NO_RULES = "no-rules"
    RULE_MATCHES_NOTHING = "rule-matches-nothing"
    PROBE_WITHOUT_RULE = "probe-without-rule"
    NEVER_HOLDS = "never-holds"
    ALWAYS_HOLDS = "always-holds"
    NEVER_RESOLVES = "never-resolves"
    RESOLVE_WHEN_WITHOUT_EFFECT = "resolve-when-without-effect"
    FOR_WITHIN_INTERVAL = "for-within-interval"
    NO_DATA_WITHIN_INTERVAL = "no-data-within-interval"
    WINDOW_WITHIN_INTERVAL = "window-within-interval"
    WINDOW_BEYOND_RETENTION = "window-beyond-retention"
    NO_OBJECTIVE = "no-objective"
    ESCALATION_WITHOUT_EFFECT = "escalation-without-effect"
    SAME_CONDITION = "same-condition"
    KEYS_DO_NOT_MEET = "keys-do-not-meet"
    BACKENDS_DISAGREE = "backends-disagree"
    ARTICLE_MATCHES_NOTHING = "article-matches-nothing"
    ARTICLE_LEFT_OUT = "article-left-out"
    MATCHER_MATCHES_NOTHING = "matcher-matches-nothing"
    CALENDAR_EVENT_LEFT_OUT = "calendar-event-left-out"
    SECRET_UNAVAILABLE = "secret-unavailable"  # noqa: S105


HELP: Final[Mapping[Code, str]] = {
    Code.INVALID: "The configuration can not be used as it stands.",
    Code.NO_RULES: "There are probes and no rules: nothing ever opens a ticket.",
    Code.RULE_MATCHES_NOTHING: "The rule's `match` fits no probe, so that it has no effect.",
    Code.PROBE_WITHOUT_RULE: "No rule looks at the probe, so that its trouble opens no ticket.",
    Code.NEVER_HOLDS: "The condition can not hold, on some probes or on all: nothing would open for them.",
    Code.ALWAYS_HOLDS: "The condition holds whatever a sample says: its incident would open at once and stay.",
    Code.NEVER_RESOLVES: "`resolve_when` can not hold once `when` does not: the incident would never be over.",
    Code.RESOLVE_WHEN_WITHOUT_EFFECT: "`resolve_when` holds wherever `when` does not: it makes no difference.",
    Code.FOR_WITHIN_INTERVAL: "`for` is over by the probe's next sample: the alert fires without a second look.",
    Code.NO_DATA_WITHIN_INTERVAL: "`alert_after` is over before the probe runs again: it alerts between two runs.",
    Code.WINDOW_WITHIN_INTERVAL: "A function's window is not longer than the probe's interval: it holds hardly more "
    "than one sample.",
    Code.WINDOW_BEYOND_RETENTION: "A function looks back further than numbers are kept: its window is not full "
    "after a restart.",
    Code.NO_OBJECTIVE: "`burn_rate` is asked of a service without an availability objective: it has no answer.",
    Code.ESCALATION_WITHOUT_EFFECT: "The rule sets impact and urgency: its priority does not rise with `escalate`.",
    Code.SAME_CONDITION: "Two rules have the same condition and look at the same probe: two tickets for one trouble.",
    Code.KEYS_DO_NOT_MEET: "Two rules share `incident.key` and group differently: they never open one incident.",
    Code.BACKENDS_DISAGREE: "Two rules open the same incidents and name different backends: the first decides.",
    Code.ARTICLE_MATCHES_NOTHING: "An article's `match` names a rule, a prober or a service that there is not.",
    Code.ARTICLE_LEFT_OUT: "There are more articles than are read, or the end of a long one is not.",
    Code.MATCHER_MATCHES_NOTHING: "A maintenance's `match` asks for a label that no probe has.",
    Code.CALENDAR_EVENT_LEFT_OUT: "An event of a calendar can not be used: it holds nothing back.",
    Code.SECRET_UNAVAILABLE: "A token that others must send can not be read here: they are refused.",
}
"""What each is about, in one sentence."""
