"""Table functions of the BigQuery sandbox: kept, checked, called with constants that leave partitions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import Routine, RoutineArgument, StandardSqlDataType, StandardSqlTypeNames

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client

BODY = "SELECT day, n FROM `sandbox-project.d.t` WHERE day BETWEEN since AND DATE_ADD(since, INTERVAL extra DAY)"
FIELDS = ["type_", "language", "arguments", "body", "description"]


def function(name: str = "f", *, body: str = BODY, kind: str = "TABLE_VALUED_FUNCTION") -> Routine:
    """Return a table function of a day and a count of days."""
    kinds = {"since": StandardSqlTypeNames.DATE, "extra": StandardSqlTypeNames.INT64}
    arguments = [
        RoutineArgument(name=each, data_type=StandardSqlDataType(type_kind=type_kind))
        for each, type_kind in kinds.items()
    ]
    return Routine(
        f"sandbox-project.d.{name}", type_=kind, language="SQL", arguments=arguments, body=body, description="Mine."
    )


def fill(client: Client) -> None:
    """Make a table of five days with one row each."""
    client.create_dataset("d")
    client.query("CREATE TABLE d.t (day DATE, n INT64) PARTITION BY day").result()
    client.query(
        "INSERT INTO d.t SELECT DATE_ADD(DATE '2026-11-01', INTERVAL n DAY), n FROM UNNEST([0, 1, 2, 3, 4]) n"
    ).result()


@pytest.fixture
def client() -> Iterator[Client]:
    """Serve a sandbox with a table."""
    with BigQuerySandbox() as sandbox, sandbox.client() as opened:
        fill(opened)
        yield opened


@pytest.mark.parametrize(
    "call",
    [
        "`sandbox-project.d.f`(DATE '2026-11-02', 1)",
        "`sandbox-project`.d.f(DATE_SUB(DATE '2026-11-04', INTERVAL 2 DAY), 1) AS g",
        "d.f(DATE '2026-11-02', 1)",
    ],
)
def test_a_call_is_its_query(client: Client, call: str) -> None:
    """However the function is named, and whatever constants it takes; only the partitions of its days are read."""
    client.create_routine(function())
    job = client.query(f"SELECT n FROM {call} ORDER BY n")
    assert [row.n for row in job.result()] == [1, 2]
    assert job.total_bytes_processed == 2 * (8 + 8)


def test_what_is_refused(client: Client) -> None:
    """A name that is taken or none, a query that is wrong, other routines, too few values, an unknown function."""
    client.create_routine(function())
    with pytest.raises(Conflict, match="Already Exists: Routine sandbox-project:d"):
        client.create_routine(function())
    for name in ("a-b", "a b", "ö", "a" * 257):
        with pytest.raises(BadRequest, match="Invalid routine ID"):
            client.create_routine(function(name))
        with pytest.raises(BadRequest, match="Invalid routine ID"):
            client.get_routine(f"d.{name}")
    with pytest.raises(BadRequest, match="nothing"):
        client.create_routine(function("g", body="SELECT nothing FROM `sandbox-project.d.t` WHERE day = since"))
    with pytest.raises(Exception, match="SCALAR_FUNCTION"):
        client.create_routine(function("g", kind="SCALAR_FUNCTION"))
    with pytest.raises(BadRequest, match="takes 2 arguments, 1 given"):
        client.query("SELECT * FROM d.f(DATE '2026-11-02')").result()
    with pytest.raises(Exception, match="The table function g"):
        client.query("SELECT * FROM d.g(1)").result()


def test_a_function_is_updated_and_deleted(client: Client) -> None:
    """The whole routine is replaced; a stale etag is refused; what is deleted is not found."""
    client.create_routine(function())
    first = client.get_routine("d.f")
    changed = client.get_routine("d.f")
    changed.body = "SELECT since AS day, extra AS n"
    client.update_routine(changed, FIELDS)
    assert [tuple(row) for row in client.query("SELECT n FROM d.f(DATE '2026-11-02', 7)").result()] == [(7,)]
    with pytest.raises(PreconditionFailed):
        client.update_routine(first, FIELDS)
    assert client.get_routine("d.f").description == "Mine."
    client.delete_routine("d.f")
    with pytest.raises(NotFound):
        client.get_routine("d.f")
    with pytest.raises(NotFound):
        client.delete_routine("d.f")


def test_functions_are_listed(client: Client) -> None:
    """Those of one dataset, by name; a dataset that is missing has none to list."""
    client.create_dataset("other")
    for name in ("g", "f"):
        client.create_routine(function(name))
    assert [routine.routine_id for routine in client.list_routines("d")] == ["f", "g"]
    assert list(client.list_routines("other")) == []
    with pytest.raises(NotFound):
        list(client.list_routines("none"))


def test_functions_stay_in_a_folder_and_go_with_their_dataset(tmp_path: Path) -> None:
    """A sandbox that keeps its tables keeps their functions; a dataset that is deleted takes them along."""
    with BigQuerySandbox(storage=tmp_path) as sandbox, sandbox.client() as client:
        fill(client)
        client.create_routine(function())
    with BigQuerySandbox(storage=tmp_path) as sandbox, sandbox.client() as client:
        assert client.query("SELECT n FROM d.f(DATE '2026-11-01', 9)").result().total_rows == 5
        client.delete_dataset("d", delete_contents=True)
        client.create_dataset("d")
        with pytest.raises(NotFound):
            client.get_routine("d.f")
