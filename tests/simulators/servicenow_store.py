"""The rows of the simulated instance. Every value is a string; nothing keeps two rows of one correlation_id apart."""

from collections.abc import Iterable, Mapping
from random import Random

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_query import Cell, Query, matches
from tests.simulators.servicenow_times import raw_time
from watchkeeper.domain.rule import Clock

Row = dict[str, str]


class Store:
    """Rows by table and sys_id, in the order in which they came."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock, self._random = clock, Random(seed)
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in schema.TABLES}
        self._numbers: dict[str, int] = {}

    def now(self) -> str:
        return raw_time(self._clock())

    def new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def add(self, table: str, values: Mapping[str, str], by: str) -> Row:
        """A new row. What a table keeps for itself (sys_id, number, times) is not taken from the values."""
        defaults = {name: each.default for name, each in schema.FIELDS[table].items()}
        row = {**defaults, **{name: text for name, text in values.items() if name in defaults}, **self._stamp(by)}
        row |= {"sys_id": self.new_id(), "sys_created_on": row["sys_updated_on"], "sys_created_by": by}
        row["sys_mod_count"] = "0"
        if "sys_class_name" in row:
            row["sys_class_name"] = table
        if schema.TABLES[table].number:
            row["number"] = self._next_number(table)
        self._rows[table][row["sys_id"]] = row
        return row

    def replace(self, row: Row, changed: Row, by: str, *, touched: bool = False) -> None:
        """Writes a changed row over a row, if it differs or was touched."""
        if touched or changed != row:
            row.update(changed)
            row.update(self._stamp(by), sys_mod_count=str(int(row["sys_mod_count"]) + 1))

    def remove(self, table: str, sys_id: str) -> None:
        for name in schema.children(table):
            self._rows[name].pop(sys_id, None)

    def rows(self, table: str) -> list[Row]:
        """A table's rows and those of the tables that extend it."""
        return [row for name in schema.children(table) for row in self._rows[name].values()]

    def get(self, table: str, sys_id: str) -> Row | None:
        for name in schema.children(table):
            if sys_id in self._rows[name]:
                return self._rows[name][sys_id]
        return None

    def named(self, table: str, display: str) -> list[Row]:
        """The rows that are shown by this name."""
        shown = schema.TABLES[table].display
        return [row for row in self.rows(table) if row.get(shown) == display]

    def select(self, table: str, query: Query, *, ignore_case: bool, shuffle: bool) -> list[Row]:
        """The rows of a query in its order; what it does not order comes as it comes."""
        found = [
            row
            for row in self.rows(table)
            if matches(query, lambda path, row=row: self.cell(table, row, path), ignore_case=ignore_case)  # type: ignore[misc]
        ]
        if shuffle:
            self._random.shuffle(found)
        for path, descends in reversed(query.order):
            found.sort(key=lambda row, path=path: self._rank(table, row, path), reverse=descends)  # type: ignore[misc]
        return found

    def cell(self, table: str, row: Row, path: str) -> Cell:
        """The value at a dotted path; nothing where a reference on the way leads nowhere."""
        first, _, rest = path.partition(".")
        known = schema.FIELDS[table].get(first)
        if known is None:
            return Cell("", "", "string")
        value = row.get(first, "")
        if not rest:
            return Cell(value, self.name_of(known.refers, value) if known.refers else value, known.type)
        target = self.get(known.refers, value) if known.refers else None
        return self.cell(known.refers, target, rest) if target is not None else Cell("", "", "string")

    def name_of(self, table: str, sys_id: str) -> str:
        """What a reference to this row shows."""
        row = self.get(table, sys_id)
        return row.get(schema.TABLES[table].display, "") if row is not None else ""

    def _rank(self, table: str, row: Row, path: str) -> tuple[int, str]:
        cell = self.cell(table, row, path)
        if cell.type == "integer":
            return int(cell.value or -1_000_000), ""
        return 0, cell.display if cell.type == "reference" else cell.value

    def _stamp(self, by: str) -> Row:
        return {"sys_updated_on": self.now(), "sys_updated_by": by}

    def _next_number(self, table: str) -> str:
        first = schema.TABLES[table].number
        prefix = first.rstrip("0123456789")
        digits = first.removeprefix(prefix)
        number = self._numbers.get(table, int(digits))
        self._numbers[table] = number + 1
        return f"{prefix}{number:0{len(digits)}}"


def describe(store: Store, tables: Iterable[schema.Table]) -> None:
    """Fills sys_db_object, sys_dictionary and sys_choice with what there is."""
    objects: dict[str, str] = {}
    for table in tables:
        row = {
            "name": table.name,
            "label": table.name.replace("_", " "),
            "super_class": objects.get(table.extends, ""),
        }
        objects[table.name] = store.add("sys_db_object", row, "system")["sys_id"]
        own = table.fields if table.extends else (*schema.SYSTEM, *table.fields)
        for field in own:
            store.add(
                "sys_dictionary",
                {
                    "name": table.name,
                    "element": field.name,
                    "internal_type": field.type,
                    "max_length": str(field.length),
                    "reference": field.refers,
                    "column_label": field.title,
                    "read_only": "true" if field.read_only else "false",
                },
                "system",
            )
            for number, (value, label) in enumerate(field.choices.items()):
                chosen = {"name": table.name, "element": field.name, "value": value, "label": label}
                store.add("sys_choice", {**chosen, "sequence": str(number)}, "system")
