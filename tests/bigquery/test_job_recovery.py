"""Lost answers, refusals, failing jobs, full queues: the load ends right all the same, and nothing happens twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import NotFound

from airflow_provider_iginsights.bigquery.jobs import JobRequest
from airflow_provider_iginsights.bigquery.retry import RetryBudget
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS
from airflow_provider_iginsights.errors import DatasetUnavailable, LoadError
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.bigquery.job import Job
from airflow_provider_iginsights.sandbox.bigquery.jobs import JobRegistry
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse

GIVEN = rows.rows(ACCOUNT_INSIGHTS, range(40))
BRIEF = RetryBudget(busy=0.05, lost=0.05, first_wait=0.01, longest_wait=0.01, first_poll=0.005, longest_poll=0.02)
UPLOAD, QUERY, JOB = r"POST /upload/", r"POST /bigquery/.*/(jobs|queries)$", r"GET .*/jobs/"
EVERY_ROUTE = (
    r"GET .*/datasets/d$",
    r"POST .*/datasets$",
    r"GET .*/tables/instagram_account_insights$",
    r"POST .*/tables$",
    r"GET .*/jobs$",
    r"GET .*/tables$",
    UPLOAD,
    QUERY,
    JOB,
    r"GET .*/queries/",
    r"DELETE .*/tables/",
)


def load(
    warehouse: Warehouse, *, given: list[dict[str, object]] | None = None, try_number: int = 1, **how: Any
) -> LoadResult:
    """Run one try of a task."""
    destination = rows.target(project=warehouse.project, dataset=warehouse.dataset)
    options = {"retry_budget": how.pop("retry_budget")} if "retry_budget" in how else {}
    with warehouse.loader(rows.identity(try_number=try_number), **options) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in GIVEN if given is None else given:
            row_file.write(row)
        (result,) = loader.commit([row_file], **how)
    return result


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Return what stands in the target."""
    with warehouse.connect() as client:
        return rows.stored(client, rows.target(project=warehouse.project, dataset=warehouse.dataset))


def assert_exact(sandbox: BigQuerySandbox, warehouse: Warehouse, *, mode: LoadMode = "merge") -> None:
    """Check that the target equals the truth, and that no staging table is left."""
    sandbox.faults.clear()
    assert stored(warehouse) == rows.truth(ACCOUNT_INSIGHTS, GIVEN), mode
    assert sandbox.tables(warehouse.dataset) == ["instagram_account_insights"]


@pytest.mark.parametrize("effect", ["answerLost", "serviceUnavailable", "rateLimitExceeded"])
def test_every_request_may_go_wrong(sandbox: BigQuerySandbox, faulty: Warehouse, effect: str) -> None:
    """If each kind of request loses its answer, or is refused for the moment, the load ends right all the same."""
    for route in EVERY_ROUTE:
        sandbox.faults.add(BigQueryFault(route=route, effect=effect))  # type: ignore[arg-type]
    load(faulty)
    hit = {"answerLost": None, "serviceUnavailable": 503, "rateLimitExceeded": 403}[effect]
    assert len([request for request in sandbox.log if request.status == hit]) == len(EVERY_ROUTE)
    assert_exact(sandbox, faulty)


@pytest.mark.parametrize("mode", ["merge", "replace", "append"])
@pytest.mark.parametrize("route", [UPLOAD, QUERY])
def test_a_job_whose_answer_was_lost_runs_once(
    sandbox: BigQuerySandbox, faulty: Warehouse, route: str, mode: LoadMode
) -> None:
    """The job is found again under its id: no second job, no doubled row, in any mode."""
    sandbox.faults.add(BigQueryFault(route=route, effect="answerLost"))
    result = load(faulty, load_mode=mode)
    kinds = [job.id.split("-")[1] for job in sandbox.jobs]
    assert kinds == ["load", "merge", "verify"][: 2 if mode == "append" else 3]
    assert result.affected == 40
    assert_exact(sandbox, faulty, mode=mode)


def test_the_number_of_jobs_does_not_grow(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """One account or 200, 10 rows or 2,000: one load, one MERGE, one look; and as many requests of each other kind."""
    load(faulty, given=[])
    asked: list[list[str]] = []
    for accounts in (1, 200):
        jobs, requests = len(sandbox.jobs), len(sandbox.log)
        given = [
            row | {"account_id": f"{accounts}-{account}"}
            for account in range(accounts)
            for row in rows.rows(ACCOUNT_INSIGHTS, range(10), version=accounts)
        ]
        assert load(faulty, given=given, try_number=accounts).affected == len(given)
        assert [job.id.split("-")[1] for job in sandbox.jobs[jobs:]] == ["load", "merge", "verify"]
        asked.append([each.method for each in sandbox.log[requests:] if "/jobs/" not in each.path])
    assert asked[0] == asked[1]


@pytest.mark.parametrize("effect", ["backendError", "jobBackendError", "jobInternalError"])
@pytest.mark.parametrize("route", [UPLOAD, QUERY])
def test_a_failed_job_is_sent_under_a_new_id(
    sandbox: BigQuerySandbox, faulty: Warehouse, route: str, effect: str
) -> None:
    """An id is burnt when its job failed; the next try of the job has a suffix."""
    sandbox.faults.add(BigQueryFault(route=route, effect=effect, times=2))  # type: ignore[arg-type]
    result = load(faulty)
    job_id = result.load_job_id if route == UPLOAD else result.merge_job_id
    assert str(job_id).endswith("-2")
    assert_exact(sandbox, faulty)


def test_a_burnt_id_of_an_earlier_process_is_not_mistaken(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """The same try begun anew (a clear, `airflow tasks test`) meets its old ids and takes others."""
    first = load(faulty)
    again = load(faulty)
    assert first.load_job_id != again.load_job_id
    assert first.merge_job_id != again.merge_job_id
    assert again.affected == 0
    assert_exact(sandbox, faulty)


def test_a_job_that_failed_long_ago_is_not_taken_for_ours(faulty: Warehouse) -> None:
    """The same statement under the same id, once refused for good, is sent anew: its cause may be gone."""
    with faulty.connect() as client:
        client.create_dataset(faulty.dataset)
        sql = "CREATE TABLE `p-1.d.copy` AS SELECT * FROM `p-1.d.original`"
        with pytest.raises(NotFound):
            client.query(sql, job_id="known", job_retry=None).result()
        client.query("CREATE TABLE `p-1.d.original` (x INT64)").result()
        session = open_session(client, identity=rows.identity(), options=JobOptions(retry_budget=BRIEF))
        request = JobRequest(
            job_id="known",
            project=faulty.project,
            location="US",
            submit=lambda job_id: client.query(sql, job_id=job_id, location="US", retry=None, job_retry=None),
            matches=lambda job: job.query == sql,
            doing="copy a table",
        )
        assert session.jobs.run(request).job_id == "known-1"


def test_a_full_queue_is_waited_for(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """With room for two MERGEs and eight mapped tasks that share keys, all eight get through, to the truth."""
    load(faulty, given=[])
    sandbox.switches.dml_queue = (1, 1)
    sandbox.switches.snapshot_seconds = 0.02
    budget = RetryBudget(busy=60, lost=60, first_wait=0.02, longest_wait=0.1, first_poll=0.005, longest_poll=0.02)
    failures: list[BaseException] = []

    def task(number: int) -> None:
        destination = rows.target(project=faulty.project, dataset=faulty.dataset)
        try:
            with faulty.loader(rows.identity(task_id=f"t{number}"), retry_budget=budget) as loader:
                loader.ensure([destination])
                row_file = loader.row_file(destination)
                for row in GIVEN[number * 3 : number * 3 + 4]:
                    row_file.write(row)
                loader.commit([row_file])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=task, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    refused = [job for job in sandbox.jobs if job.error == "resourcesExceeded"]
    assert refused
    assert stored(faulty) == rows.truth(ACCOUNT_INSIGHTS, GIVEN[:25])


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ("rateLimitExceeded", "The table is busy"),
        ("serviceUnavailable", "No usable answer came"),
        ("answerLost", "No usable answer came"),
        ("jobBackendError", "BigQuery has trouble of its own"),
    ],
)
def test_the_retries_end(sandbox: BigQuerySandbox, faulty: Warehouse, effect: str, said: str) -> None:
    """What does not pass within the given time fails, in words, and the target is as it was."""
    load(faulty, given=[])
    route = QUERY if effect != "answerLost" else JOB
    sandbox.faults.add(
        BigQueryFault(route=QUERY, effect="jobBackendError" if effect == "jobBackendError" else "answerLost")
    )
    sandbox.faults.add(BigQueryFault(route=route, effect=effect, times=None))  # type: ignore[arg-type]
    with pytest.raises(LoadError, match=said):
        load(faulty, retry_budget=BRIEF)


def test_a_refusal_is_final(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """What will not pass is not asked twice; the message names the role that is missing."""
    load(faulty, given=[])
    sandbox.faults.add(BigQueryFault(route=QUERY, effect="accessDenied", times=None))
    with pytest.raises(DatasetUnavailable, match=r"refused to write 40 rows.*roles/bigquery\.jobUser"):
        load(faulty)
    asked = [request for request in sandbox.log if request.method == "POST" and request.status == 403]
    assert len(asked) == 1
    assert sandbox.tables(faulty.dataset) == ["instagram_account_insights"]


def test_the_daily_quota_of_loads_is_named(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """A used-up quota is reported at once as what it is."""
    load(faulty, given=[])
    sandbox.switches.load_jobs_per_table_per_day = 0
    with pytest.raises(LoadError, match="A quota of the project is used up"):
        load(faulty)


def test_staging_that_cannot_be_dropped_is_only_logged(
    sandbox: BigQuerySandbox, faulty: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The load has succeeded by then, and the staging table expires."""
    sandbox.faults.add(BigQueryFault(route=r"DELETE .*/tables/", effect="accessDenied"))
    assert load(faulty).affected == 40
    assert "expires by itself" in caplog.text
    (left,) = [name for name in sandbox.tables(faulty.dataset) if "__stg_" in name]
    with faulty.connect() as client:
        table = client.get_table(f"{faulty.dataset}.{left}")
    assert table.expires is not None
    assert (table.expires - table.created).total_seconds() == pytest.approx(24 * 3600, abs=60)
    load(faulty, try_number=2)
    assert_exact(sandbox, faulty)


def test_cancel_ends_the_job_and_drops_staging(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """on_kill cancels what BigQuery is doing; the task fails in words, the target is untouched."""
    load(faulty, given=[])
    sandbox.faults.add(BigQueryFault(route=QUERY, effect="slowJob", seconds=30))
    destination = rows.target(project=faulty.project, dataset=faulty.dataset)
    with faulty.loader(rows.identity()) as loader:
        row_file = loader.row_file(destination)
        for row in GIVEN:
            row_file.write(row)
        killer = threading.Thread(target=kill_when_merging, args=(sandbox, loader))
        killer.start()
        with pytest.raises(LoadError, match=r"stopped|cancelled"):
            loader.commit([row_file])
        killer.join()
    wait_for_the_jobs(sandbox)
    assert [job.error for job in sandbox.jobs] == [None, "stopped"]
    assert stored(faulty) == []
    assert sandbox.tables(faulty.dataset) == ["instagram_account_insights"]


def kill_when_merging(sandbox: BigQuerySandbox, loader: Any) -> None:
    """Call on_kill as soon as the MERGE is running."""
    while not any("-merge-" in job.id and job.state == "RUNNING" for job in sandbox.jobs):
        threading.Event().wait(0.005)
    loader.cancel()


@pytest.mark.parametrize("known_by", ["its staging table", "the list of running jobs"])
def test_a_predecessor_is_ended_first(sandbox: BigQuerySandbox, faulty: Warehouse, known_by: str) -> None:
    """A MERGE that a killed try left running is cancelled before the next is sent.

    It is found where jobs may not be listed, and where its staging table is gone (a cancelled task drops it).
    """
    load(faulty, given=[])
    sandbox.faults.add(BigQueryFault(route=QUERY, effect="slowJob", seconds=30))
    with pytest.raises(KeyboardInterrupt):
        load_and_die(sandbox, faulty)
    if known_by == "its staging table":
        sandbox.faults.add(BigQueryFault(route=r"GET .*/jobs$", effect="accessDenied", times=None))
    else:
        with faulty.connect() as client:
            (left,) = rows.staging_left(client, rows.target(dataset=faulty.dataset))
            client.delete_table(f"{faulty.dataset}.{left}")
    assert load(faulty, try_number=2).affected == 40
    merges = [(job.state, job.error) for job in sandbox.jobs if "-merge-" in job.id]
    assert merges == [("DONE", "stopped"), ("DONE", None)]
    assert_exact(sandbox, faulty)


def test_a_predecessor_that_cannot_be_cancelled_is_awaited(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation that comes too late is no end: the next MERGE is sent when the earlier one is over."""
    load(faulty, given=[])
    sandbox.faults.add(BigQueryFault(route=QUERY, effect="slowJob", seconds=1.5))
    asked: list[Job] = []
    monkeypatch.setattr(JobRegistry, "cancel", lambda _jobs, job: asked.append(job))
    with pytest.raises(KeyboardInterrupt):
        load_and_die(sandbox, faulty)
    again = load(faulty, try_number=2)
    assert (again.affected, again.deduplicated) == (0, 0)
    assert [job.id for job in asked] == [job.id for job in sandbox.jobs if "-merge-" in job.id][:1]
    assert_exact(sandbox, faulty)
    monkeypatch.undo()


def test_a_predecessor_that_has_finished_is_built_upon(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """What BigQuery completed after its task was killed is found in the target: the next try changes nothing."""
    load(faulty, given=[])
    with pytest.raises(KeyboardInterrupt):
        load_and_die(sandbox, faulty)
    wait_for_the_jobs(sandbox)
    assert load(faulty, try_number=2).affected == 0
    assert_exact(sandbox, faulty)


def wait_for_the_jobs(sandbox: BigQuerySandbox) -> None:
    """Wait until all jobs are over."""
    while any(job.state != "DONE" for job in sandbox.jobs):
        threading.Event().wait(0.005)


def load_and_die(sandbox: BigQuerySandbox, warehouse: Warehouse) -> None:
    """Run a try that ends without a word while its MERGE runs, leaving job and staging behind."""
    destination = rows.target(project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.loader(rows.identity()) as loader:
        row_file = loader.row_file(destination)
        for row in GIVEN:
            row_file.write(row)

        def die(_seconds: float) -> None:
            if any("-merge-" in job.id for job in sandbox.jobs):
                raise KeyboardInterrupt

        loader.session.retrier.sleep = die  # type: ignore[method-assign]
        # A process that is killed neither cancels nor drops.
        loader.session.jobs.cancel = lambda: None  # type: ignore[method-assign]
        loader._drop_staging = lambda: None  # type: ignore[method-assign]
        loader.commit([row_file])
