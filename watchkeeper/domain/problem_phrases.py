"""What watchkeeper says in the tickets of problems, in each language that there is. See `phrases.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.recurrence import Why
from watchkeeper.domain.ticket import Language


@dataclass(frozen=True, slots=True)
class ProblemPhrases:
    """One language. `weekdays`: the first is Monday."""

    # The head of a description.
    title: str
    why: Mapping[Why, str]
    failure: str
    failed: str
    rule: str
    service: str
    owner: str
    ci: str
    problem: str
    follows: str
    follows_one: str
    signature: str

    # What happened.
    incidents: str
    incident: str
    lasted: str
    goes_on: str
    ticket: str
    earlier_ones: str

    # What is striking.
    findings: str
    nothing_found: str
    not_searched: str
    caution: str
    hour: str
    weekday: str
    begin_of_month: str
    end_of_month: str
    every: str
    every_day: str
    every_week: str
    before: str
    change: str
    numbers: str
    all_of_them: str
    chance: str
    weekdays: tuple[str, str, str, str, str, str, str]

    # The changes before.
    changes: str
    change_one: str

    # What people wrote about the one before.
    root_cause: str
    known_error: str
    workaround: str
    resolution: str

    # What happens to a problem.
    linked: str
    recurred: str
    elsewhere: str
    takes_place: str
    new_findings: str
    reopened: str
    succeeded: str
    refused: str
    resolved: str
    moved: str
    known: str
    noted: str
    deleted: str


_ENGLISH: Final = ProblemPhrases(
    title="Recurring: {title}",
    why={
        Why.REPEATS: "This failed {count} times within {within}: find the cause.",
        Why.DOWNTIME: "This was down for {downtime} within {within}: find the cause.",
        Why.FLAPPING: "This came and went in {count} incidents within {within}: find the cause.",
    },
    failure="Failure",
    failed="{failure} (… stands for what differs from time to time)",
    rule="Rule",
    service="Service",
    owner="Owner",
    ci="CI",
    problem="Problem",
    follows="Follows",
    follows_one="{number}, resolved {time} after {count} times",
    signature="Opened by watchkeeper as {number} ({key}). Times are UTC where no zone is named.",
    incidents="Incidents:",
    incident="{number}: {time}, {lasted}",
    lasted="lasted {elapsed}",
    goes_on="goes on",
    ticket="{text}, ticket {ticket}",
    earlier_ones="({count} more before these)",
    findings="What is striking, of {count} times since {time}:",
    nothing_found="Nothing about when it happens is striking so far: of few times little can be said.",
    not_searched="Too much happened at once to look for what is striking: `watchkeeper problems` shows it.",
    caution="The chance says how likely this would be if nothing were behind it. It is no proof of a cause.",
    hour="the time of day: between {begin} and {end} ({zone})",
    weekday="the weekday: {weekday} ({zone})",
    begin_of_month="the first three days of the month ({zone})",
    end_of_month="the last three days of the month ({zone})",
    every="regular: always {elapsed} apart, or a multiple of that",
    every_day="regular: always at about {time} ({zone}), a day or several apart",
    every_week="regular: always on {weekday} at about {time} ({zone}), a week or several apart",
    before="{rule} of {service} began within {elapsed} before",
    change="the change “{title}” ({service}) was under way, or over for less than {elapsed}",
    numbers="{text}: {count} of {of} times, {expected} would be usual; chance {chance}",
    all_of_them="{text}: all {of} times; chance {chance}",
    chance="1 in {odds}",
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    changes="Changes that ended up to {elapsed} before:",
    change_one="{change} “{title}” ({service}), over {time}, {elapsed} before {incident}",
    root_cause="Root cause, as {number} says",
    known_error="Known error, as {number} says",
    workaround="Workaround, as {number} says",
    resolution="How it was cured, as {number} says",
    linked="Belongs to the problem {problem}: {title}",
    recurred="Again (no. {count}): {incident} since {time}. {message}",
    elsewhere="Also {incident} since {time}. {message}",
    takes_place="{incident} goes on in the place of {before}",
    new_findings="What is striking now:",
    reopened="It is not cured: {incident} since {time}, {elapsed} after the problem was resolved. {message}",
    succeeded="{number} takes its place: {incident} since {time}. {message}",
    refused="{number} takes its place, as the ticket can not be opened again ({detail})",
    resolved="{ticket} was resolved",
    moved="{ticket} is worked on again",
    known="{ticket} is a known error",
    noted="{ticket} says more about the cause",
    deleted="{ticket} was deleted",
)

_CHINESE: Final = ProblemPhrases(
    title="反复发生：{title}",
    why={
        Why.REPEATS: "{within}内发生 {count} 次，请查找根本原因。",
        Why.DOWNTIME: "{within}内累计中断 {downtime}，请查找根本原因。",
        Why.FLAPPING: "{within}内有 {count} 个事件频繁抖动，请查找根本原因。",
    },
    failure="故障特征",
    failed="{failure}（… 表示每次不同的内容）",
    rule="规则",
    service="服务",
    owner="负责团队",
    ci="配置项",
    problem="问题编号",
    follows="接续问题",
    follows_one="{number}，共发生 {count} 次，已于 {time} 解决",
    signature="由 watchkeeper 自动创建，问题编号 {number}（{key}）。未注明时区的时间均为 UTC。",
    incidents="相关事件：",
    incident="{number}：{time}，{lasted}",
    lasted="持续 {elapsed}",
    goes_on="仍在持续",
    ticket="{text}，工单 {ticket}",
    earlier_ones="（此前另有 {count} 个）",
    findings="值得注意的规律（自 {time} 起共 {count} 次）：",
    nothing_found="目前发生时间没有明显规律：次数较少时难以判断。",
    not_searched="同时发生的故障过多，未分析规律；可用 `watchkeeper problems` 查看。",
    caution="概率表示若纯属巧合，出现这种情况的可能性；它不能证明因果关系。",
    hour="时段集中：{begin} 至 {end}（{zone}）",
    weekday="集中在{weekday}（{zone}）",
    begin_of_month="集中在每月前三天（{zone}）",
    end_of_month="集中在每月最后三天（{zone}）",
    every="有规律：间隔总是 {elapsed}或其整数倍",
    every_day="有规律：总在 {time} 左右（{zone}），间隔一天或数天",
    every_week="有规律：总在{weekday} {time} 左右（{zone}），间隔一周或数周",
    before="之前 {elapsed}内，服务 {service} 的规则 {rule} 已触发",
    change="变更“{title}”（{service}）正在进行，或结束不到 {elapsed}",
    numbers="{text}：{of} 次中有 {count} 次，通常约为 {expected} 次；巧合概率 {chance}",
    all_of_them="{text}：{of} 次全部如此；巧合概率 {chance}",
    chance="{odds} 分之一",
    weekdays=("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    changes="之前 {elapsed}内结束的变更：",
    change_one="{change}“{title}”（{service}），{time} 结束，比 {incident} 早 {elapsed}",
    root_cause="根本原因（引自 {number}）",
    known_error="已知错误（引自 {number}）",
    workaround="临时措施（引自 {number}）",
    resolution="解决办法（引自 {number}）",
    linked="属于问题 {problem}：{title}",
    recurred="再次发生：{incident}，始于 {time}，第 {count} 次。{message}",
    elsewhere="另有 {incident}，始于 {time}。{message}",
    takes_place="{incident} 接续 {before}",
    new_findings="新发现的规律：",
    reopened="尚未根治：问题解决 {elapsed}后发生 {incident}，始于 {time}。{message}",
    succeeded="由 {number} 接续：{incident}，始于 {time}。{message}",
    refused="由 {number} 接续，因为工单无法重新打开（{detail}）",
    resolved="{ticket} 已解决",
    moved="{ticket} 重新开始处理",
    known="{ticket} 已成为已知错误",
    noted="{ticket} 补充了原因说明",
    deleted="{ticket} 已被删除",
)

_OF: Final = {Language.ENGLISH: _ENGLISH, Language.CHINESE: _CHINESE}


def problem_phrases_in(language: Language) -> ProblemPhrases:
    """The phrases of a language."""
    return _OF[language]
