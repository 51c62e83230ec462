"""What watchkeeper says in tickets and timelines, in each language that there is.

Patterns have their placeholders in braces; what stands in for them is never read as a pattern itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.article import Part, Why
from watchkeeper.domain.probe import Category, Status
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.service import Criticality
from watchkeeper.domain.ticket import Language, TicketState
from watchkeeper.domain.units import format_elapsed_ms


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language. `units`: of a duration, by their short names; `lone_units`: how they are called where there is
    one alone, as far as that is another name. `priorities`: of 1 to 5."""

    # Words for what the domain names.
    severities: Mapping[Severity, str]
    levels: Mapping[Level, str]
    criticalities: Mapping[Criticality, str]
    categories: Mapping[Category, str]
    statuses: Mapping[Status, str]
    states: Mapping[TicketState, str]
    priorities: tuple[str, str, str, str, str]
    units: Mapping[str, str]
    lone_units: Mapping[str, str]
    between_units: str

    # How things are put together.
    label: str
    clauses: str
    listed: str
    and_more: str
    and_others: str

    # The head of a description.
    symptom: str
    since: str
    since_text: str
    follows: str
    follows_ticket: str
    service: str
    service_text: str
    owner: str
    criticality: str
    ci: str
    needed_by: str
    probe: str
    probes: str
    probe_text: str
    probe_at: str
    priority: str
    priority_text: str
    by_severity: str
    by_rule: str
    runbook: str
    page: str
    rule: str
    labels: str

    # Why the rule fired.
    why: str
    condition: str
    held_for: str
    held_times: str
    held_of: str
    silence: str
    silence_because: str

    # The last samples.
    samples: str
    time: str
    status: str
    duration: str
    seconds: str

    # What may help. `whys`: of a rule, a word and so on.
    knowledge: str
    article: str
    resolution: str
    whys: Mapping[Why, str]
    parts: Mapping[Part, str]

    # Earlier incidents.
    earlier: str
    earlier_one: str
    earlier_ticket: str
    signature: str

    # What happened to an incident.
    joined: str
    left: str
    returned: str
    flapping: str
    calmed: str
    raised: str
    rule_fires: str
    open_for: str
    resolved: str
    resolved_after_returns: str
    affected: str
    came_back_once: str
    came_back: str
    rule_removed: str
    probe_removed: str
    probe_left: str
    source_removed: str
    unheard: str

    # What it has to do with others.
    joined_many: str
    left_many: str
    explained: str
    merged: str
    impacted: str
    relieved: str
    storm: str
    after_change: str
    held_back: str
    was_explained: str
    during_change: str

    # What became of its ticket.
    somebody: str
    taken_up: str
    moved: str
    deleted: str
    reopened: str
    goes_on: str
    not_reopened: str
    replaced: str
    replaces: str
    remark: str
    never_resolved: str
    left_to: str
    whoever: str
    several: str
    left_out: str
    part_of: str
    duplicate_of: str
    caused_by: str

    def elapsed(self, elapsed_ms: float) -> str:
        """How long something took: `2h5m`."""
        parts = _PART.findall(format_elapsed_ms(elapsed_ms))
        names = self.units if len(parts) > 1 else {**self.units, **self.lone_units}
        return self.between_units.join(names[unit].format(count=count) for count, unit in parts)

    def came_back_text(self, returns: int) -> str:
        """How often trouble came back."""
        return self.came_back_once if returns == 1 else self.came_back.format(count=returns)


_PART: Final = re.compile(r"(-?\d+)(ms|[smhd])")

ENGLISH: Final = Phrases(
    severities={severity: severity.value for severity in Severity},
    levels={level: level.value for level in Level},
    criticalities={criticality: criticality.value for criticality in Criticality},
    categories={category: category.value for category in Category},
    statuses={status: status.value for status in Status},
    states={state: state.value.replace("_", " ") for state in TicketState},
    priorities=("critical", "high", "moderate", "low", "planning"),
    units={unit: f"{{count}}{unit}" for unit in ("d", "h", "m", "s", "ms")},
    lone_units={},
    between_units="",
    label="{name}: ",
    clauses=", ",
    listed=", ",
    and_more="{listed} and more",
    and_others="{listed} and {count} more",
    symptom="{title}: {message}",
    since="Since",
    since_text="{time} ({elapsed} before this was opened)",
    follows="Follows",
    follows_ticket="{number}, ticket {ticket}",
    service="Service",
    service_text="{title} ({id})",
    owner="owner {owner}",
    criticality="criticality {level}",
    ci="CI",
    needed_by="Needed by",
    probe="Probe",
    probes="Probes",
    probe_text="{probe} ({prober}, {category})",
    probe_at="{probe} at {host} ({prober}, {category})",
    priority="Priority",
    priority_text="{number} ({name}): impact {impact}, urgency {urgency}",
    by_severity="by severity {severity} and criticality {criticality}",
    by_rule="as the rule says, severity {severity}",
    runbook="Runbook",
    page="Incident",
    rule="Rule",
    labels="Labels",
    why="Why the rule {rule} fired:",
    condition="Its condition",
    held_for="It held for {elapsed}.",
    held_times="It held {count} times in a row.",
    held_of="It held {count} of {of} times.",
    silence="nothing has been known for {elapsed}",
    silence_because="nothing has been known for {elapsed}: {why}",
    samples="Last samples (times in UTC):",
    time="time",
    status="status",
    duration="duration",
    seconds="{seconds} s",
    knowledge="What may help:",
    article="{title} ({place}), because of {why}",
    resolution="Last time ({title}, {why}) it was resolved with:",
    whys={
        Why.KEY: "the same trouble",
        Why.RULE: "the rule {what}",
        Why.SERVICE: "the service {what}",
        Why.PROBER: "the prober {what}",
        Why.MESSAGE: "a message like {what}",
        Why.WORDS: "the words {what}",
    },
    parts={Part.KNOWN_ERROR: "Known error", Part.WORKAROUND: "Workaround", Part.ROOT_CAUSE: "Root cause"},
    earlier="Earlier incidents with this key:",
    earlier_one="{number}: {time}, lasted {elapsed}",
    earlier_ticket="{number}: {time}, lasted {elapsed}, ticket {ticket}",
    signature="Opened by watchkeeper as {number} ({key}). Times are UTC.",
    joined="{probe} joined, in trouble since {time}: {message}",
    left="{probe} is no longer part of it since {time}: {message}",
    returned="{probe} is in trouble again since {time}: {message}",
    flapping="{probe} comes and goes (noted {time}): this stays open until it has calmed down",
    calmed="{probe} calmed down at {time}; {returns}",
    raised="Raised from {before} to {after}, priority {priority}: {why}",
    rule_fires="the rule {rule} fires on {probe} since {time}",
    open_for="it has been open for {elapsed}, since {time}",
    resolved="Over since {time}, after {elapsed}: {message}",
    resolved_after_returns="Over since {time}, after {elapsed}, in which {returns}: {message}",
    affected="Affected: {probes}",
    came_back_once="trouble came back once",
    came_back="trouble came back {count} times",
    rule_removed="rule removed",
    probe_removed="probe removed",
    probe_left="the rule no longer looks at the probe",
    source_removed="source removed",
    unheard="nothing has been heard of it for {elapsed}",
    joined_many="{count} alerts joined: {probes}",
    left_many="Over: {probes} ({count})",
    explained="{probes}: explained by {number} from now on ({title})",
    merged="{number} turned out to be the cause ({title}): this is a duplicate of it",
    impacted="Explained by this as well: {probes} ({count} more, {total} in all)",
    relieved="No longer explained by this: {probes} ({count}; {total} still are)",
    storm="Too many failures at once: {count} alerts more, of {services}",
    after_change="Began {elapsed} after the end of change {number} ({title})",
    held_back="Was held back until {time} by {window}",
    was_explained="Was explained by {number}, and went on when that was over",
    during_change="Began during change {number} ({title}) and outlasts it",
    somebody="somebody",
    taken_up="{ticket} was taken up by {who}",
    moved="{ticket} is {state} now",
    deleted="{ticket} was deleted",
    reopened="The trouble goes on, {elapsed} after the ticket was resolved",
    goes_on="the trouble goes on, {elapsed} after {ticket} was ended",
    not_reopened="the trouble goes on, and {ticket} can not be opened again ({detail})",
    replaced="{number} takes its place: {why}",
    replaces="follows {number}: {why}",
    remark="({remark}.)",
    never_resolved="Watchkeeper resolves no tickets here",
    left_to="Left to {who} to resolve",
    whoever="whoever took it up",
    several="{count} things happened:",
    left_out="({count} more)",
    part_of="Part of the problem {number}",
    duplicate_of="Duplicate of {number}",
    caused_by="Caused by the change {number}",
)

CHINESE: Final = Phrases(
    severities={Severity.CRITICAL: "紧急", Severity.MAJOR: "重要", Severity.MINOR: "次要", Severity.INFO: "提示"},
    levels={Level.HIGH: "高", Level.MEDIUM: "中", Level.LOW: "低"},
    criticalities={Criticality.HIGH: "高", Criticality.MEDIUM: "中", Criticality.LOW: "低"},
    categories={Category.HEALTH: "健康", Category.CAPACITY: "容量", Category.BACKUP: "备份"},
    statuses={Status.UP: "正常", Status.DOWN: "故障", Status.UNKNOWN: "未知"},
    states={
        TicketState.OPEN: "待处理",
        TicketState.IN_PROGRESS: "处理中",
        TicketState.ON_HOLD: "挂起",
        TicketState.RESOLVED: "已解决",
        TicketState.CLOSED: "已关闭",
        TicketState.CANCELLED: "已取消",
    },
    priorities=("严重", "高", "中", "低", "计划"),
    units={"d": "{count} 天", "h": "{count} 小时", "m": "{count} 分", "s": "{count} 秒", "ms": "{count} 毫秒"},
    lone_units={"m": "{count} 分钟"},
    between_units=" ",
    label="{name}：",
    clauses="，",
    listed="、",
    and_more="{listed}等",
    and_others="{listed}，另有 {count} 个",
    symptom="{title}：{message}",
    since="开始时间",
    since_text="{time}（至开单已持续 {elapsed}）",
    follows="接续事件",
    follows_ticket="{number}，工单 {ticket}",
    service="服务",
    service_text="{title}（{id}）",
    owner="负责团队：{owner}",
    criticality="重要性{level}",
    ci="配置项",
    needed_by="依赖它的服务",
    probe="探针",
    probes="探针",
    probe_text="{probe}（{prober}，{category}）",
    probe_at="{probe}，目标 {host}（{prober}，{category}）",
    priority="优先级",
    priority_text="{number}（{name}）：影响度{impact}，紧急度{urgency}",
    by_severity="依据告警级别“{severity}”和服务重要性“{criticality}”",
    by_rule="由规则指定，告警级别“{severity}”",
    runbook="处置手册",
    page="事件编号",
    rule="规则",
    labels="标签",
    why="规则 {rule} 的触发原因：",
    condition="触发条件",
    held_for="条件已持续满足 {elapsed}。",
    held_times="条件连续 {count} 次满足。",
    held_of="最近 {of} 次中有 {count} 次满足条件。",
    silence="已有 {elapsed}没有获得任何结果",
    silence_because="已有 {elapsed}没有获得任何结果：{why}",
    samples="最近的检测结果（时间为 UTC）：",
    time="时间",
    status="状态",
    duration="耗时",
    seconds="{seconds} 秒",
    knowledge="可供参考的知识：",
    article="{title}（{place}），依据：{why}",
    resolution="上次（{title}，{why}）的解决方法：",
    whys={
        Why.KEY: "同一故障",
        Why.RULE: "规则 {what}",
        Why.SERVICE: "服务 {what}",
        Why.PROBER: "探测类型 {what}",
        Why.MESSAGE: "消息匹配 {what}",
        Why.WORDS: "关键词 {what}",
    },
    parts={Part.KNOWN_ERROR: "已知错误", Part.WORKAROUND: "临时解决方案", Part.ROOT_CAUSE: "根本原因"},
    earlier="此前的同类事件：",
    earlier_one="{number}：{time}，持续 {elapsed}",
    earlier_ticket="{number}：{time}，持续 {elapsed}，工单 {ticket}",
    signature="由 watchkeeper 自动创建，事件编号 {number}（{key}）。时间均为 UTC。",
    joined="{probe} 加入本事件，异常始于 {time}：{message}",
    left="{probe} 自 {time} 起不再属于本事件：{message}",
    returned="{probe} 于 {time} 再次异常：{message}",
    flapping="{probe} 于 {time} 被判定为频繁抖动：在其稳定之前，本事件保持打开",
    calmed="{probe} 已于 {time} 恢复稳定；{returns}",
    raised="级别由“{before}”升为“{after}”，优先级 {priority}：{why}",
    rule_fires="规则 {rule} 自 {time} 起在 {probe} 上触发",
    open_for="本事件自 {time} 起已打开 {elapsed}",
    resolved="已于 {time} 恢复，历时 {elapsed}：{message}",
    resolved_after_returns="已于 {time} 恢复，历时 {elapsed}，{returns}：{message}",
    affected="受影响的探针：{probes}",
    came_back_once="期间故障复发 1 次",
    came_back="期间故障复发 {count} 次",
    rule_removed="规则已删除",
    probe_removed="探针已删除",
    probe_left="规则不再适用于该探针",
    source_removed="来源已删除",
    unheard="已有 {elapsed}没有收到它的任何消息",
    joined_many="又有 {count} 条告警加入本事件：{probes}",
    left_many="{count} 条告警已恢复：{probes}",
    explained="{probes}：自此归因于 {number}（{title}）",
    merged="根源是 {number}（{title}）：本事件与其重复",
    impacted="又有 {count} 条告警归因于本事件，目前共 {total} 条：{probes}",
    relieved="{count} 条告警不再归因于本事件，目前尚有 {total} 条：{probes}",
    storm="大量故障同时发生：另有 {count} 条告警，涉及 {services}",
    after_change="故障始于变更 {number}（{title}）结束后 {elapsed}",
    held_back="此前因 {window} 暂缓处理，直至 {time}",
    was_explained="此前归因于 {number}，其结束后本故障仍在持续",
    during_change="故障始于变更 {number}（{title}）期间，变更结束后仍未恢复",
    somebody="处理人员",
    taken_up="{ticket} 已由 {who} 受理",
    moved="{ticket} 的状态变为“{state}”",
    deleted="{ticket} 已被删除",
    reopened="工单解决 {elapsed}后，故障仍在持续",
    goes_on="{ticket} 结束 {elapsed}后，故障仍在持续",
    not_reopened="故障仍在持续，而 {ticket} 无法重新打开（{detail}）",
    replaced="由 {number} 接续：{why}",
    replaces="接续 {number}：{why}",
    remark="（{remark}。）",
    never_resolved="按照配置，watchkeeper 不在此处自动解决工单",
    left_to="工单留待 {who} 解决",
    whoever="受理人",
    several="期间发生了 {count} 件事：",
    left_out="（另有 {count} 条）",
    part_of="属于问题 {number}",
    duplicate_of="与 {number} 重复",
    caused_by="由变更 {number} 引起",
)

_OF: Final = {Language.ENGLISH: ENGLISH, Language.CHINESE: CHINESE}


def phrases_in(language: Language) -> Phrases:
    """The phrases of a language."""
    return _OF[language]
