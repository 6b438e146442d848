"""What the hook reads for another destination: the transfers' rows, a question checked at once, nothing left open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import psutil
import pytest

from airflow_provider_iginsights.catalog import rows as row_types
from airflow_provider_iginsights.catalog.reference import describe_row_types, name_row_type
from airflow_provider_iginsights.catalog.tables import TABLES, Table
from airflow_provider_iginsights.errors import ConfigurationError, InsightsError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.hooks.reading import KINDS
from tests.support.pages import find_block
from tests.support.sandboxes import DATASET, END, START, TRANSFERS, Row, Sandboxes, describe

ROOT = Path(__file__).parents[2]
BY_NAME = {table.name: table for table in TABLES}
NEEDS_MEMORY = ("previous_poll_at", "seen_late", "finals_missed")
WINDOW = {"since": START, "until": END}


def facts(table: Table, rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    """Return rows by key, as BigQuery would give them, without how they came to be."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        said = describe({column.name: row.get(column.name) for column in table.columns})
        for column in table.columns:
            if column.type == "TIMESTAMP" and isinstance(said.get(column.name), str):
                said[column.name] = datetime.fromisoformat(said[column.name])
            if column.type == "NUMERIC":
                said[column.name] = Decimal(str(said[column.name]))
            if table.name == "story_polls" and column.name in NEEDS_MEMORY:
                del said[column.name]
        found[tuple(said[name] for name in table.key)] = said
    return found


def connections(sandboxes: Sandboxes) -> int:
    """Return how many connections to the Graph API are open in this process, on the client's side."""
    port = int(sandboxes.graph.url.rpartition(":")[2])
    return sum(1 for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == port)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_are_those_of_the_transfer(sandboxes: Sandboxes, kind: str) -> None:
    """Every table that the transfer writes is read, row for row; what takes BigQuery's memory is absent."""
    sandboxes.run(kind)
    read: dict[str, list[Row]] = {}
    for table, row in InstagramHook().read(kind, **WINDOW, run_id="mine"):  # type: ignore[call-overload]
        read.setdefault(table, []).append(row)
    assert read.keys() == set(KINDS[kind].tables)
    for name, rows in read.items():
        table = BY_NAME[name]  # type: ignore[index]
        assert facts(table, rows) == facts(table, sandboxes.rows(table.default_id))
        assert {row["run_id"] for row in rows} == {"mine"}
        assert not any(row.keys() & set(NEEDS_MEMORY) for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_are_those_of_the_operator(kind: str) -> None:
    """The hook and the operator of a kind name the same tables, the main one first."""
    operator = TRANSFERS[kind](task_id=kind, dataset_id=DATASET)
    assert tuple(table.name for table in operator.tables) == KINDS[kind].tables


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_their_types(sandboxes: Sandboxes, kind: str) -> None:
    """Each row has the REQUIRED columns, no others than the table's, and values of the types that are written down."""
    for name, row in InstagramHook().read(kind, **WINDOW):  # type: ignore[call-overload]
        table = BY_NAME[name]
        hints = get_type_hints(getattr(row_types, name_row_type(table)), include_extras=True)
        assert {column.name for column in table.columns if column.required} <= row.keys() <= hints.keys()
        for column, value in row.items():
            assert type(value) in allowed(hints[column]), (name, column, value)
            if BY_NAME[name].columns[table.column_names.index(column)].type == "TIMESTAMP" and value is not None:
                assert value.endswith("Z")
                assert datetime.fromisoformat(value).tzinfo == UTC


def allowed(hint: Any) -> set[type]:
    """Return the types inside ``NotRequired[... | None]`` and unions."""
    if hint in (str, int, float, bool, date, Decimal, type(None)):
        return {hint}
    return {kind for part in get_args(hint) for kind in allowed(part)}


def test_row_types_are_the_tables() -> None:
    """The module of types is what the catalog writes: whoever changes a table has written it anew."""
    assert Path(row_types.__file__).read_text("utf-8") == "\n".join(describe_row_types()) + "\n"
    for table in TABLES:
        assert tuple(getattr(row_types, name_row_type(table)).__annotations__) == table.column_names


WRONG: list[tuple[str, object, dict[str, Any], type[Exception], str]] = [
    ("accounts", None, {}, ConfigurationError, "kind must be one of account, media, story"),
    ("media", None, {"lookback_days": 3}, TypeError, "has no argument 'lookback_days'. It takes metrics, breakdowns"),
    ("account", None, {"metric": "reach"}, TypeError, "has no argument 'metric'"),
    ("account", None, {"metrics": "reech"}, ConfigurationError, "Did you mean reach"),
    ("media", None, {"breakdowns": {"reach": 1}}, ConfigurationError, "breakdowns"),
    ("account", None, {"lookback_days": -1}, ConfigurationError, "lookback_days must be a whole number"),
    ("media", None, {"refresh_days": "many"}, ConfigurationError, "refresh_days must be a whole number"),
    ("account", None, {"since": "yesterday"}, ConfigurationError, "since='yesterday' is no instant"),
    ("account", None, {"since": END, "until": START}, ConfigurationError, "until lies before since"),
    ("story", ["nobody"], {}, ConfigurationError, "which is no id"),
    ("story", [], {}, ConfigurationError, "account_ids is an empty list"),
    ("story", None, {"tables": ["accounts"]}, ConfigurationError, "some of story_insights, media, story_polls"),
    ("story", None, {"tables": []}, ConfigurationError, "tables must be a list"),
]


@pytest.mark.parametrize(("kind", "account_ids", "arguments", "error", "said"), WRONG)
def test_questions_are_checked_at_the_call(
    sandboxes: Sandboxes, kind: Any, account_ids: object, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    """What cannot be asked is refused before a row is taken, and before anybody is asked."""
    with pytest.raises(error, match=re.escape(said)):
        InstagramHook().read(kind, account_ids, **arguments)
    assert sandboxes.graph.log == ()


def test_a_missing_connection_is_told_at_the_call() -> None:
    """So is a connection that Airflow does not know."""
    with pytest.raises(ConfigurationError, match="knows no connection 'nobody_knows_me'"):
        InstagramHook("nobody_knows_me").read("media")


def end_by_reading(rows: Iterator[Any]) -> None:
    """Read to the end."""
    list(rows)


def end_by_dropping(rows: Iterator[Any]) -> None:
    """Read one row, and lose interest."""
    next(rows)


@pytest.mark.parametrize("end", [end_by_reading, end_by_dropping])
@pytest.mark.parametrize(
    "spelling", [lambda hook: hook.read("media", ["@" + hook.owner]), lambda hook: hook.media_insights()]
)
def test_nothing_stays_open(sandboxes: Sandboxes, end: Any, spelling: Any) -> None:
    """The connections are closed at the end, and as soon as nobody holds the rows any more."""
    hook = InstagramHook()
    hook.owner = sandboxes.account.username  # type: ignore[attr-defined]
    end(spelling(hook))
    assert sandboxes.graph.log
    assert connections(sandboxes) == 0


def test_an_error_closes_too(sandboxes: Sandboxes) -> None:
    """An account that fails is raised after the rows of the others, with nothing left open."""
    rows = []
    with pytest.raises(InsightsError, match="17849999999999999"):
        rows.extend(InstagramHook().read("media", [sandboxes.account.id, "17849999999999999"]))
    assert {row["account_id"] for _, row in rows} == {sandboxes.account.id}
    assert connections(sandboxes) == 0


def test_two_readings_do_not_disturb_each_other(sandboxes: Sandboxes) -> None:
    """Each has a client of its own: dropping one closes nothing of the other's, nor of the hook's."""
    hook = InstagramHook()
    first, second = hook.read("media", **WINDOW), hook.read("account", **WINDOW)
    next(first)
    begun = next(second)
    del first
    assert len([begun, *second]) > 50
    assert hook.get_conn() is hook.get_conn()


@pytest.mark.parametrize("kind", KINDS)
def test_the_iterators_are_spellings_of_it(sandboxes: Sandboxes, kind: str) -> None:
    """The rows of the main table alone; the profile is not asked for then."""
    table = KINDS[kind].tables[0]
    every = InstagramHook().read(kind, **WINDOW)  # type: ignore[call-overload]
    whole = facts(BY_NAME[table], [row for name, row in every if name == table])
    sandboxes.graph.clear_log()
    rows = list(getattr(InstagramHook(), table)(**WINDOW))
    assert facts(BY_NAME[table], rows) == whole
    if kind == "account":
        assert sandboxes.graph.log
        assert not any("biography" in f"{call.query}{call.items}" for call in sandboxes.graph.log)


def test_the_printed_example(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines as printed write one file per table."""
    monkeypatch.chdir(tmp_path)
    exec(compile(find_block("Rows for another destination 1"), "docs/hook.md", "exec"), {})
    lines = {path.stem: path.read_text("utf-8").splitlines() for path in tmp_path.glob("*.ndjson")}
    assert lines.keys() == {"media", "media_children", "media_insights"}
    metrics = {json.loads(line)["metric"] for line in lines["media_insights"]}
    assert "reach" in metrics
    assert "saved" not in metrics
