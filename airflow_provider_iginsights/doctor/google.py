"""What is checked of Google's side: credentials, project, dataset, tables, views, and what may be done there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.doctor.check import Finding, fail, ok, skip, warn
from airflow_provider_iginsights.errors import IncompatibleTable, LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View
    from airflow_provider_iginsights.doctor.setup import Setup

_NO_DATASET = skip("no --dataset was given")
_BILLING = "Enable billing"


def check_credentials(setup: Setup) -> Finding:
    """Look which kind of Google credentials is found, and where."""
    from airflow_provider_iginsights.hooks.bigquery import describe_credentials

    if setup.options.dataset is None:
        return _NO_DATASET
    return ok(describe_credentials(setup.bigquery, gcp_conn_id=setup.options.gcp_conn_id))


def check_project(setup: Setup) -> Finding:
    """Run a query that reads nothing: it tells who we are, and that jobs may run in the project."""
    [[who]] = setup.session.read(setup.anywhere, sql="SELECT SESSION_USER()", doing="run a query")
    project = setup.session.project_of_jobs(setup.anywhere)
    return ok(f"Jobs run in {project}, as {who}.")


def check_dataset(setup: Setup) -> Finding:
    """Look whether the dataset exists and may be read."""
    labels = ", ".join(f"{key}:{text}" for key, text in sorted((setup.dataset.labels or {}).items()))
    return ok(f"{setup.anywhere.dataset_path} exists; labels: {labels or 'none'}.")


def check_location(setup: Setup) -> Finding:
    """Look whether the dataset lies where the operators are told."""
    given, lies = setup.options.location, setup.dataset.location
    if given and given.lower() != lies.lower():
        return fail(
            f"The dataset lies in {lies}, not in {given}.",
            to_do="Leave the location out, or name another dataset: a dataset cannot be moved.",
        )
    return ok(f"{lies}.")


def check_tables(setup: Setup) -> Finding:
    """Look whether the rows fit into the tables that exist."""
    from airflow_provider_iginsights.bigquery.ensure import check_kind
    from airflow_provider_iginsights.bigquery.schema import missing_columns

    wrong, missing = [], []
    for target, found in setup.tables:
        try:
            check_kind(target, found=found)
            missing += [f"{target.table_id}.{column.name}" for column in missing_columns(target, existing=found)]
        except IncompatibleTable as error:
            wrong.append(error.message)
    if wrong:
        return fail(" ".join(wrong))
    absent = len(setup.targets) - len(setup.tables)
    later = f" The next run adds {', '.join(missing)}." if missing else ""
    made = f" {absent} do not exist yet; the first run that needs one creates it." if absent else ""
    return ok(f"{len(setup.tables)} of {len(setup.targets)} exist, and our rows fit.{later}{made}")


def check_expirations(setup: Setup) -> Finding:
    """Look whether BigQuery deletes rows, tables or partitions by itself."""
    from airflow_provider_iginsights.bigquery.table_options import describe_expiration, expires

    said = [
        f"The table {target.path} {describe_expiration(found)}." for target, found in setup.tables if expires(found)
    ]
    defaults = _describe_defaults(setup.dataset)
    if said:
        return warn(
            f"{' '.join(said)} {defaults}",
            to_do="If it is not meant so: ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL, "
            "partition_expiration_days = NULL). If it is: say it in table_options.",
        )
    return ok(f"No table of ours expires. {defaults}")


def _describe_defaults(dataset: Any) -> str:
    ends = (
        ("tables", dataset.default_table_expiration_ms),
        ("partitions", dataset.default_partition_expiration_ms),
    )
    said = [f"new {what} expire after {timedelta(milliseconds=int(ms)).days} days" for what, ms in ends if ms]
    if not said:
        return "The dataset has no default expiration."
    return f"By the dataset's default {' and '.join(said)}; ours do not inherit that, unless you say so."


def check_create(setup: Setup) -> Finding:
    """Create a scratch table, which expires within an hour and is removed at the end."""
    dataset = setup.scratch.path.rpartition(".")[0]
    return ok(f"A scratch table was created in {dataset}. It is removed when the checks are over.")


def check_load(setup: Setup) -> Finding:
    """Load one row into it."""
    setup.scratch.load()
    return ok("A load job wrote a row into it.")


def check_billing(setup: Setup) -> Finding:
    """Look whether BigQuery carries out a statement that writes: without billing it does not."""
    error = setup.scratch.merge_error
    if error is None:
        return ok("BigQuery carries out statements that write.")
    if _BILLING not in error.message:
        return skip("the MERGE was refused for another reason")
    return fail(error.message)


def check_merge(setup: Setup) -> Finding:
    """Merge the row into the table itself, which changes nothing."""
    error = setup.scratch.merge_error
    if error is not None and _BILLING in error.message:
        return skip("billing failed")
    if error is not None:
        raise error
    return ok("A MERGE into it ran.")


def check_views(setup: Setup) -> Finding:
    """Ask BigQuery, without a charge, whether the views that exist can be read, for example without a filter."""
    from airflow_provider_iginsights.bigquery.dry_run import run_text_dry
    from airflow_provider_iginsights.catalog.views import find_views

    read, wrong = [], []
    for target, _ in setup.tables:
        for view in find_views(target.table):
            if sql := _query(view, target, setup):
                try:
                    run_text_dry(
                        target, sql=sql, doing=f"read the view {view.view_id(target.table_id)}", session=setup.session
                    )
                    read.append(view.view_id(target.table_id))
                except LoadError as error:
                    wrong.append(error.message)
    if wrong:
        return fail(
            " ".join(wrong), to_do=f"Run tables --views --dataset {setup.options.dataset}, which updates the views."
        )
    return ok(f"{len(read)} can be read." if read else "There are none; tables --views makes them.")


def _query(view: View, target: TargetTable, setup: Setup) -> str | None:
    """Return a query of a view that exists; None where it does not, or takes parameters."""
    from airflow_provider_iginsights.bigquery.identifiers import quoted
    from airflow_provider_iginsights.bigquery.view_state import view_path

    path = view_path(view, target)
    doing = f"read the view {path}"
    if view.parameters or setup.session.find(setup.session.client.get_table, path, doing=doing) is None:
        return None
    return f"SELECT * FROM {quoted(path)}"  # noqa: S608 - a checked path
