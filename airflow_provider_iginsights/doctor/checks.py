"""The checks, in their order: one row each."""

from __future__ import annotations

from airflow_provider_iginsights.doctor import google, meta
from airflow_provider_iginsights.doctor.check import Check

CHECKS: tuple[Check, ...] = (
    Check(name="connection", about="the Airflow connection: type, host, extras", look=meta.check_connection),
    Check(name="host", about="that the Graph API answers", look=meta.check_host, needs=("connection",)),
    Check(name="version", about="the version: served, and until when", look=meta.check_version, needs=("host",)),
    Check(name="token", about="whose token, of which kind and app", look=meta.check_token, needs=("host",)),
    Check(name="expiry", about="when token and data access end", look=meta.check_expiry, needs=("token",)),
    Check(name="permissions", about="what the token may do", look=meta.check_permissions, needs=("token",)),
    Check(name="accounts", about="the accounts, by id and username", look=meta.check_accounts, needs=("token",)),
    Check(name="assets", about="accounts of each permission", look=meta.check_assets, needs=("token",)),
    Check(name="insights", about="one number of each account", look=meta.check_insights, needs=("token",)),
    Check(name="catalogue", about="metrics, against Meta's today", look=meta.check_catalogue, needs=("insights",)),
    Check(name="rate_limit", about="how much of Meta's limits is used", look=meta.check_rate_limit, needs=("host",)),
    Check(name="next_run", about="the days that a run of now reads", look=meta.check_next_run),
    Check(name="credentials", about="which Google credentials", look=google.check_credentials),
    Check(name="project", about="whose jobs run in which project", look=google.check_project, needs=("credentials",)),
    Check(name="dataset", about="that the dataset exists", look=google.check_dataset, needs=("project",)),
    Check(name="location", about="where the dataset lies", look=google.check_location, needs=("dataset",)),
    Check(name="tables", about="that our rows fit", look=google.check_tables, needs=("dataset",)),
    Check(name="expirations", about="what BigQuery deletes", look=google.check_expirations, needs=("tables",)),
    Check(name="views", about="that views can be read", look=google.check_views, needs=("tables",)),
    Check(name="create", about="that tables may be created", look=google.check_create, needs=("dataset",)),
    Check(name="load", about="that rows may be loaded", look=google.check_load, needs=("create",)),
    Check(name="billing", about="that statements may write", look=google.check_billing, needs=("load",)),
    Check(name="merge", about="that rows may be merged", look=google.check_merge, needs=("load",)),
)
