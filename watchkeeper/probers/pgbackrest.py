"""Looks at a stanza of pgBackRest: its state, its backups, and whether WAL goes on being archived."""

from collections import OrderedDict
from typing import Any, Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers._program import Work, cannot_tell, clean_environment, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers.base import Finding, ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, PositiveDurationMs, TextOrSecret

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart
_MOST_SEEN: Final = 10_000  # stanzas whose WAL is remembered


class PgbackrestOptions(Model):
    """A look at a stanza of pgBackRest."""

    stanza: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$")
    """The stanza."""
    full_within: PositiveDurationMs | None = None
    """How long ago the newest full backup may have ended."""
    newest_within: PositiveDurationMs | None = None
    """How long ago the newest backup of any type may have ended."""
    wal_within: PositiveDurationMs | None = None
    """How long the newest archived WAL segment may be the same. Set `archive_timeout` in PostgreSQL, or a database in
    which nothing happens archives none. It is counted from when watchkeeper saw it first."""
    config: LocalPath | None = None
    """The configuration file of pgBackRest; its own choice if this is not set."""
    env: dict[str, TextOrSecret] = Field(default_factory=dict)
    """What else it needs in its environment, such as PGBACKREST_REPO1_CIPHER_PASS."""
    program: str = Field(default="pgbackrest", min_length=1)
    """The program, by name or path."""


class _Timestamp(BaseModel):
    stop: int


class _Wal(BaseModel):
    start: str | None = None
    stop: str | None = None


class _Backup(BaseModel):
    label: str
    type: str
    timestamp: _Timestamp
    archive: _Wal = _Wal()
    info: dict[str, Any] = {}
    error: bool | None = None


class _Archive(BaseModel):
    max: str | None = None


class _State(BaseModel):
    code: int
    message: str


class _Stanza(BaseModel):
    name: str
    status: _State
    backup: list[_Backup] = []
    archive: list[_Archive] = []


_ANSWER: Final = TypeAdapter(list[_Stanza])


class _Seen:
    """Since when the newest WAL segment of each probe is the same."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def still_ms(self, probe_id: str, segment: str, now_ms: int) -> int:
        known = self._known.get(probe_id)
        if known is None or known[0] != segment:
            self._known[probe_id] = segment, now_ms
            self._known.move_to_end(probe_id)
            while len(self._known) > _MOST_SEEN:
                self._known.popitem(last=False)
            return 0
        return max(0, now_ms - known[1])


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""
    seen = _Seen()

    def measure(probe: Probe, work: Work) -> Finding:
        return _judged(probe, _asked(probe.options, work), seen, clock())

    return ProgramProber(clock, measure)


def _asked(options: PgbackrestOptions, work: Work) -> _Stanza:
    """What pgBackRest tells of the stanza.

    Raises:
        Concluded: it can not be asked, or does not know it.
    """
    work.doing = "asking pgbackrest"
    config = [f"--config={options.config}"] if options.config else []
    command = [options.program, *config, f"--stanza={options.stanza}", "info", "--output=json"]
    ended = work.run(command, clean_environment(options.env))
    if ended.code != 0:
        raise not_well(f"the repository can not be read: {ended.reason}")
    try:
        found = [stanza for stanza in _ANSWER.validate_json(ended.output) if stanza.name == options.stanza]
    except ValidationError:
        raise cannot_tell(
            "pgbackrest answered something that can not be read: is its version older than 2.20?"
        ) from None
    if not found:
        raise not_well(f"there is no stanza {options.stanza}")
    return found[0]


def _judged(probe: Probe, stanza: _Stanza, seen: _Seen, now_ms: int) -> Finding:
    options: PgbackrestOptions = probe.options
    backups = sorted(stanza.backup, key=lambda backup: backup.timestamp.stop)
    values: dict[str, float] = {"count": len(backups)}
    facts: dict[str, Fact] = {"state": on_one_line(stanza.status.message)}
    for kind in ("full", "diff", "incr"):
        if of_kind := [backup for backup in backups if backup.type == kind]:
            values[f"{kind}_age_seconds"] = now_ms / 1000 - of_kind[-1].timestamp.stop
    if backups:
        newest = backups[-1]
        values["newest_age_seconds"] = now_ms / 1000 - newest.timestamp.stop
        if isinstance(size := newest.info.get("size"), int):
            values["newest_size_bytes"] = size
        facts |= {"newest": on_one_line(newest.label), "last_backup": utc(newest.timestamp.stop * 1000)}
    segment = max((archive.max for archive in stanza.archive if archive.max), default=None)
    if segment is not None:
        facts["wal"] = on_one_line(segment)
        values["wal_still_seconds"] = seen.still_ms(probe.id, segment, now_ms) / 1000
        gap = _gap(segment, backups[-1].archive.stop if backups else None)
        if gap is not None:
            values["wal_gap_segments"] = gap
    wrong = _wrong(options, stanza, backups, values)
    if wrong is not None:
        raise not_well(wrong, values, facts)
    size_told = f" with {format_size(values['newest_size_bytes'])}" if "newest_size_bytes" in values else ""
    old = format_elapsed_ms(1000 * values["newest_age_seconds"])
    text = (
        f"stanza {stanza.name} is ok: {len(backups)} backups, the newest is {facts['newest']}{size_told}, {old} old"
    )
    return Finding(Status.UP, text, values, facts)


def _wrong(
    options: PgbackrestOptions, stanza: _Stanza, backups: list[_Backup], values: dict[str, float]
) -> str | None:
    """What is not as expected."""
    if stanza.status.code != 0:
        return f"stanza {stanza.name}: {on_one_line(stanza.status.message)}"
    if not backups:
        return f"stanza {stanza.name} has no backup"
    if backups[-1].error:
        return f"the newest backup, {on_one_line(backups[-1].label)}, has pages whose checksums are wrong"
    for name, within in (("full", options.full_within), ("newest", options.newest_within)):
        age_s = values.get(f"{name}_age_seconds")
        if within is None:
            continue
        if age_s is None:
            return f"stanza {stanza.name} has no full backup"
        if age_s * 1000 < -FUTURE_MS:
            return f"the {name} backup is dated in the future: some clock is wrong"
        if age_s * 1000 > within:
            told = "the newest full backup" if name == "full" else "the newest backup"
            return f"{told} is {format_elapsed_ms(age_s * 1000)} old, expected within {format_duration_ms(within)}"
    if values.get("wal_gap_segments"):
        return (
            f"WAL is missing: {values['wal_gap_segments']:.0f} segments that the newest backup needs are not archived"
        )
    if options.wal_within is not None:
        if "wal_still_seconds" not in values:
            return f"stanza {stanza.name} has no archived WAL"
        still_ms = values["wal_still_seconds"] * 1000
        if still_ms > options.wal_within:
            within_told = format_duration_ms(options.wal_within)
            return f"no WAL was archived for {format_elapsed_ms(still_ms)}, expected within {within_told}"
    return None


def _gap(newest: str, needed: str | None) -> int | None:
    """How many segments the newest archived one is short of what a backup needs; none across timelines."""
    if needed is None or newest[:8] != needed[:8]:
        return None
    try:
        return max(0, _number(needed) - _number(newest))
    except ValueError:
        return None


def _number(segment: str) -> int:
    return int(segment[8:16], 16) * 256 + int(segment[16:24], 16)


KIND = ProberKind(
    name="pgbackrest",
    summary="Looks at a stanza of pgBackRest: its state, its backups and its WAL archive.",
    category=Category.BACKUP,
    options=PgbackrestOptions,
    make=make,
    values={
        "count": "how many backups there are",
        "newest_age_seconds": "seconds since the newest backup of any type ended; absent when there is none",
        "full_age_seconds": "seconds since the newest full one ended; absent when there is none",
        "diff_age_seconds": "the same of the newest differential one",
        "incr_age_seconds": "the same of the newest incremental one",
        "newest_size_bytes": "bytes of the database in the newest backup",
        "wal_still_seconds": "for how long the newest archived WAL segment is the same, as far as watchkeeper saw",
        "wal_gap_segments": "segments that the newest backup needs and that are not archived",
    },
    facts={
        "state": (FactType.TEXT, "what pgbackrest says of the stanza: ok, no valid backups, missing stanza path"),
        "newest": (FactType.TEXT, "the label of the newest backup; absent when there is none"),
        "last_backup": (FactType.TIME, "when it ended"),
        "wal": (FactType.TEXT, "the newest archived WAL segment; absent when there is none"),
    },
)
