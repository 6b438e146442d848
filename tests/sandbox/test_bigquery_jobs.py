"""Jobs of the local BigQuery: ids, regions, states, lists, cancelling, and everything its script of faults can do."""

from __future__ import annotations

import datetime as dt
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import time_machine
from google.api_core.exceptions import (
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
)
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.faults import Effect

SCHEMA = [bigquery.SchemaField("k", "STRING", "REQUIRED")]
UPLOAD, INSERT_JOB = r"POST /upload/.*/jobs$", r"POST /bigquery/.*/jobs$"
INSERT = "INSERT INTO d.t (k) VALUES ('a')"


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Run a BigQuery with one empty table."""
    with BigQuerySandbox() as running:
        client = running.client()
        client.create_dataset("d")
        client.create_table(bigquery.Table("sandbox-project.d.t", schema=SCHEMA))
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> bigquery.Client:
    """Connect."""
    return sandbox.client()


def load(
    client: bigquery.Client, body: bytes = b'{"k": "a"}\n', table: str = "d.t", **options: Any
) -> bigquery.LoadJob:
    """Start a load that is not repeated when it fails, in one request or in chunks."""
    size = None if options.pop("chunks", False) else len(body)
    config = bigquery.LoadJobConfig(schema=SCHEMA, source_format="NEWLINE_DELIMITED_JSON", labels={"x": "y"})
    return client.load_table_from_file(io.BytesIO(body), table, size=size, job_config=config, num_retries=0, **options)


def query(client: bigquery.Client, sql: str, **options: Any) -> bigquery.QueryJob:
    """Start a query that is not repeated when it fails."""
    return client.query(sql, retry=None, job_retry=None, **options)


def test_an_id_is_burnt_by_its_first_job(client: bigquery.Client) -> None:
    """A second job of the same id is 409, whatever its type and even if the first failed; get_job finds the first."""
    with pytest.raises(BadRequest):
        load(client, b'{"z": 1}\n', job_id="one").result()
    for again in (lambda: load(client, job_id="one"), lambda: query(client, "SELECT 1", job_id="one")):
        with pytest.raises(Conflict, match=r"Already Exists: Job sandbox-project:US\.one"):
            again()
    first = client.get_job("one")
    assert (first.job_type, first.state, first.error_result["reason"]) == ("load", "DONE", "invalid")
    assert len(first.errors) == 2


def test_an_id_belongs_to_a_project_and_a_region(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """The same id is free elsewhere; without a region only US and EU are searched."""
    query(client, "SELECT 1", job_id="one", location="US").result()
    query(client, "SELECT 2", job_id="one", location="asia-east1").result()
    query(client, "SELECT 3", job_id="one", location="US", project="other").result()
    assert client.get_job("one", location="ASIA-EAST1").location == "asia-east1"
    query(client, "SELECT 4", job_id="two", location="asia-east1").result()
    with pytest.raises(NotFound, match=r"Not found: Job sandbox-project:US\.two"):
        client.get_job("two")
    assert len({(job.id, job.location) for job in sandbox.jobs}) == 3


def test_a_job_runs_where_its_dataset_is(client: bigquery.Client) -> None:
    """A job takes its dataset's region, and asked for another one it does not find the dataset."""
    dataset = bigquery.Dataset("sandbox-project.e")
    dataset.location = "europe-west1"
    client.create_dataset(dataset)
    assert load(client, table="e.t").result().location == "europe-west1"
    assert query(client, "SELECT * FROM e.t").location == "europe-west1"
    text = "Not found: Dataset sandbox-project:e was not found in location US"
    with pytest.raises(NotFound, match=text):
        load(client, table="e.t", location="US")
    with pytest.raises(NotFound, match=text):
        query(client, "SELECT * FROM e.t", location="US").result()
    with pytest.raises(NotFound, match="Dataset sandbox-project:e was not found in location US"):
        query(client, "SELECT * FROM d.t CROSS JOIN e.t").result()


def test_an_insert_that_waits(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Where jobs.insert waits, small jobs are answered as done, and a slow one as running."""
    sandbox.switches.insert_seconds = 20
    assert (load(client).state, query(client, INSERT).state) == ("DONE", "DONE")
    sandbox.switches.insert_seconds = 0.01
    sandbox.faults.add(BigQueryFault(INSERT_JOB, "slowJob", seconds=600))
    assert query(client, INSERT).state in ("PENDING", "RUNNING")
    assert len(sandbox.rows("d", "t")) == 2


def error_of(job: bigquery.QueryJob) -> GoogleAPICallError:
    """Return what a statement failed with, which an old client tells by ``result`` alone."""
    with pytest.raises(GoogleAPICallError) as raised:
        job.result()
    return raised.value


def test_a_job_passes_from_running_to_done(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A slow job is RUNNING and without result until it is done; then state, times and record say so."""
    sandbox.faults.add(BigQueryFault(INSERT_JOB, "slowJob", seconds=600))
    job = query(client, "SELECT 1", job_id="slow")
    while sandbox.jobs[-1].state == "PENDING":
        time.sleep(0.01)
    assert not client.get_job("slow").done()
    assert client._get_query_results("slow", retry=None, timeout_ms=1, location="US").complete is False
    job.cancel()
    assert error_of(job).errors[0]["reason"] == "stopped"
    done = client.get_job("slow")
    assert done.state == "DONE"
    assert done.created <= done.started <= done.ended
    record = sandbox.jobs[-1]
    assert (record.id, record.type, record.state, record.error) == ("slow", "QUERY", "DONE", "stopped")


def test_a_running_statement_is_cancelled_in_mid_flight(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Cancelling stops a statement that would compute for minutes, and it has changed nothing."""
    numbers = "UNNEST(GENERATE_ARRAY(1, 1000000))"
    job = query(client, f"INSERT INTO d.t (k) SELECT 'x' FROM {numbers} AS a CROSS JOIN {numbers} AS b")
    while client.get_job(job.job_id).state != "RUNNING":
        time.sleep(0.01)
    job.cancel()
    assert "cancelled" in str(error_of(job))
    assert sandbox.rows("d", "t") == []


def test_cancelling_a_done_job_changes_nothing(client: bigquery.Client) -> None:
    """A job that is done keeps its outcome."""
    job = query(client, INSERT)
    job.result()
    job.cancel()
    assert client.get_job(job.job_id).error_result is None


def test_jobs_are_listed_newest_first_and_filtered(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """jobs.list filters by state and time of creation and pages; records carry target, labels and statement."""
    start = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=True):
        load(client, job_id="a").result()
    with time_machine.travel(start + dt.timedelta(hours=1), tick=True):
        query(client, INSERT, job_id="b").result()
        sandbox.faults.add(BigQueryFault(INSERT_JOB, "slowJob", seconds=600))
        running = query(client, INSERT, job_id="c")
        while sandbox.jobs[-1].state == "PENDING":
            time.sleep(0.01)
    later = start + dt.timedelta(minutes=30)
    listed = {
        "all": client.list_jobs(page_size=1, all_users=True),
        "done": client.list_jobs(state_filter="done"),
        "running": client.list_jobs(state_filter="running"),
        "late": client.list_jobs(min_creation_time=later),
        "early": client.list_jobs(max_creation_time=later),
    }
    ids = {"all": ["c", "b", "a"], "done": ["b", "a"], "running": ["c"], "late": ["c", "b"], "early": ["a"]}
    assert {name: [job.job_id for job in jobs] for name, jobs in listed.items()} == ids
    running.cancel()
    first, second = sandbox.jobs[:2]
    assert (str(first.target), first.labels, first.statement) == ("sandbox-project:d.t", {"x": "y"}, None)
    assert (str(second.target), second.labels, second.statement) == ("sandbox-project:d.t", {}, INSERT)


def test_a_query_is_made_once_per_request_id(sandbox: BigQuerySandbox) -> None:
    """Repeating jobs.query with its requestId answers with the first job's result and runs nothing."""
    address = f"{sandbox.url}/bigquery/v2/projects/sandbox-project/queries"
    body = {"query": INSERT, "useLegacySql": False, "requestId": "r"}
    answers = [requests.post(address, json=body, timeout=10).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["numDmlAffectedRows"] == "1"
    assert len(sandbox.rows("d", "t")) == 1


def test_a_query_that_is_refused_makes_no_job(sandbox: BigQuerySandbox) -> None:
    """What jobs.query cannot start is answered with the reason, with a requestId and without."""
    address = f"{sandbox.url}/bigquery/v2/projects/sandbox-project/queries"
    for more in ({}, {"requestId": "r"}):
        for query, words in (({"query": "SELECT 1"}, "legacy SQL"), ({"useLegacySql": False}, "is missing: query")):
            answer = requests.post(address, json={**query, **more}, timeout=10)
            assert (answer.status_code in (400, 501), words in answer.text) == (True, True)
    assert len(sandbox.jobs) == 0


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b'{"configuration": {"copy": {}}}', b'{"configuration": {"load": {}}}'],
    ids=["no JSON", "empty", "a copy of nothing", "a load without a file"],
)
def test_a_malformed_request_is_refused_at_once(sandbox: BigQuerySandbox, body: bytes) -> None:
    """It is answered as the sender's mistake, so that a client does not ask again for minutes, and makes no job."""
    address = f"{sandbox.url}/bigquery/v2/projects/sandbox-project/jobs"
    answer = requests.post(address, data=body, timeout=10)
    assert answer.status_code in (400, 501)
    assert answer.json()["error"]["message"]
    assert len(sandbox.jobs) == 0


def test_a_dry_run_of_a_definition_is_refused(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """The sandbox tries queries and DML, TRUNCATE among it, and says so of the rest."""
    tried = bigquery.QueryJobConfig(dry_run=True)
    for sql in ("DROP TABLE d.t", "CREATE TABLE d.u (k STRING)"):
        with pytest.raises(GoogleAPICallError, match="A dry run of this statement is not supported"):
            client.query(sql, job_config=tried)
    query(client, INSERT).result()
    client.query("TRUNCATE TABLE d.t", job_config=tried)
    with pytest.raises(NotFound):
        client.query("TRUNCATE TABLE d.missing", job_config=tried)
    assert (sandbox.tables("d"), len(sandbox.rows("d", "t"))) == (["t"], 1)


@pytest.mark.parametrize("options", [{"use_legacy_sql": True}, {"destination": "p.d.x"}], ids=str)
def test_query_options_outside_the_sandbox_are_refused(client: bigquery.Client, options: dict[str, Any]) -> None:
    """Legacy SQL and destination tables are refused in words."""
    with pytest.raises(GoogleAPICallError, match="not supported by this sandbox"):
        client.query("SELECT 1", job_config=bigquery.QueryJobConfig(**options)).result()


def test_a_text_of_more_than_a_megabyte_is_refused(client: bigquery.Client) -> None:
    """A query may have 1 MB of text and not a character more ("Quotas and limits: query jobs")."""
    sql = "SELECT 1 AS one"
    assert [row.one for row in query(client, sql.ljust(1024 * 1024)).result()] == [1]
    with pytest.raises(BadRequest, match="query is too large"):
        query(client, sql.ljust(1024 * 1024 + 1))


def test_the_days_load_jobs_are_counted_by_table_name(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Failed loads count, dropping the table does not help, another table and another day do."""
    sandbox.switches.load_jobs_per_table_per_day = 2
    with time_machine.travel(dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC), tick=True) as clock:
        load(client).result()
        assert load(client, b'{"z": 1}\n').exception() is not None
        client.delete_table("d.t")
        client.create_table(bigquery.Table("sandbox-project.d.t", schema=SCHEMA))
        failed = load(client)
        assert "Quota exceeded: Your table sandbox-project:d.t" in str(failed.exception())
        assert failed.error_result["reason"] == "quotaExceeded"
        load(client, table="d.u").result()
        clock.shift(dt.timedelta(days=1))
        load(client).result()
    assert len(sandbox.rows("d", "t")) == 1


REFUSALS: list[tuple[Effect, type[GoogleAPICallError], int]] = [
    ("internalError", InternalServerError, 500),
    ("badGateway", BadGateway, 502),
    ("serviceUnavailable", ServiceUnavailable, 503),
    ("rateLimitExceeded", Forbidden, 403),
    ("accessDenied", Forbidden, 403),
]


@pytest.mark.parametrize(("effect", "error", "status"), REFUSALS, ids=[effect for effect, _, _ in REFUSALS])
def test_refused_requests_do_nothing(
    sandbox: BigQuerySandbox,
    client: bigquery.Client,
    effect: Effect,
    error: type[GoogleAPICallError],
    status: int,
) -> None:
    """The request the fault hits is answered with its status and leaves no job; the next one goes through."""
    sandbox.faults.add(BigQueryFault(INSERT_JOB, effect, body="INSERT", skip=1))
    query(client, INSERT).result()
    with pytest.raises(error):
        query(client, INSERT, job_id="hit")
    assert sandbox.log[-1].status == status
    query(client, "SELECT 1").result()
    query(client, INSERT, job_id="hit").result()
    assert len(sandbox.rows("d", "t")) == 2


STARTS: dict[str, Callable[[bigquery.Client], Any]] = {
    INSERT_JOB: lambda client: query(client, INSERT, job_id="lost"),
    UPLOAD: lambda client: load(client, job_id="lost"),
    r"PUT /upload/.*/jobs$": lambda client: load(client, job_id="lost", chunks=True),
}


@pytest.mark.parametrize("route", STARTS)
def test_an_answer_can_get_lost_after_the_work_was_done(
    sandbox: BigQuerySandbox, client: bigquery.Client, route: str
) -> None:
    """The connection closes without a byte, and yet the job exists, runs and is done; its id is taken."""
    sandbox.faults.add(BigQueryFault(route, "answerLost"))
    with pytest.raises(requests.exceptions.ConnectionError):
        STARTS[route](client)
    assert sandbox.log[-1].status is None
    job = client.get_job("lost")
    job.result()
    assert (job.error_result, len(sandbox.rows("d", "t"))) == (None, 1)
    with pytest.raises(Conflict):
        STARTS[route](client)


@pytest.mark.parametrize("effect", ["backendError", "jobBackendError", "jobInternalError"])
@pytest.mark.parametrize("kind", ["QUERY", "LOAD"])
def test_a_job_can_end_with_a_backend_error(
    sandbox: BigQuerySandbox, client: bigquery.Client, effect: Effect, kind: str
) -> None:
    """The job is made, ends with the error, and has changed nothing."""
    sandbox.faults.add(BigQueryFault(INSERT_JOB if kind == "QUERY" else UPLOAD, effect))
    job = query(client, INSERT) if kind == "QUERY" else load(client)
    assert job.exception() is not None
    assert job.error_result["reason"] == effect
    assert sandbox.rows("d", "t") == []


def test_faults_are_counted_off(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """``skip`` lets requests pass, ``times`` bounds the hits, None does not, ``clear`` forgets."""
    address = f"{sandbox.url}/bigquery/v2/projects/p/datasets"
    sandbox.faults.add(BigQueryFault(r"GET .*/datasets$", "badGateway", skip=1, times=2))
    assert [requests.get(address, timeout=10).status_code for _ in range(4)] == [200, 502, 502, 200]
    sandbox.faults.add(BigQueryFault(r"GET .*/datasets$", "internalError", times=None))
    assert [requests.get(address, timeout=10).status_code for _ in range(3)] == [500] * 3
    sandbox.faults.clear()
    assert requests.get(address, timeout=10).status_code == 200
    assert [request.status for request in sandbox.log][-8:] == [200, 502, 502, 200, 500, 500, 500, 200]


def test_stopping_ends_what_still_runs() -> None:
    """A sandbox stops at once though a job would go on for minutes, and its port is closed."""
    with BigQuerySandbox() as running:
        running.faults.add(BigQueryFault(INSERT_JOB, "slowJob", seconds=600))
        query(running.client(), "SELECT 1")
        address = running.url
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(address, timeout=10)
