"""What a job may ask the sandbox for: kinds and options that it does not know are refused, not ignored."""

from __future__ import annotations

from airflow_provider_iginsights.sandbox.bigquery.copy import check_copy
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource

__all__ = ["check_configuration"]

# "Quotas and limits", query jobs: the longest unresolved GoogleSQL query is 1 MB.
MAX_QUERY_CHARACTERS = 1024 * 1024
_QUERY_OPTIONS = {
    "allowLargeResults", "createDisposition", "defaultDataset", "flattenResults", "maximumBytesBilled", "parameterMode",
    "priority", "query", "queryParameters", "useLegacySql", "useQueryCache", "writeDisposition",
}  # fmt: skip


def check_configuration(configuration: Resource, *, has_file: bool) -> None:
    """Refuse kinds and options of jobs that the sandbox does not do."""
    if "copy" in configuration:
        check_copy(configuration["copy"])
        return
    query = configuration.get("query")
    if ("load" in configuration and not has_file) or (not query and "load" not in configuration):
        kinds = [key for key in configuration if key not in ("labels", "dryRun", "jobTimeoutMs")]
        raise not_supported(f"A {' or '.join(kinds) or 'nameless'} job without a file", reason="notImplemented")
    # Google's client leaves the key out for an empty text.
    if query and not query.get("query"):
        raise BigQueryError("invalid", "Required parameter is missing: query")
    if len((query or {}).get("query", "")) > MAX_QUERY_CHARACTERS:
        raise BigQueryError(
            "invalid",
            "The query is too large. The maximum standard SQL query length is 1024.00K characters, including comments "
            "and white space characters.",
        )
    strange = sorted(key for key, value in (query or {}).items() if key not in _QUERY_OPTIONS and value)
    # useLegacySql is true where a request does not say it ("JobConfigurationQuery").
    if strange or (query and query.get("useLegacySql", True)):
        raise not_supported(f"A query job with {', '.join(strange) or 'legacy SQL'}", reason="notImplemented")
