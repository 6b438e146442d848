"""Opens DuckDB, set up to answer as BigQuery does."""

from __future__ import annotations

from pathlib import Path

import duckdb

from airflow_provider_iginsights.sandbox.bigquery.macros import MACROS

__all__ = ["open_engine"]

_SETTINGS = (
    "SET GLOBAL TimeZone = 'UTC'",
    # No test may depend on the network, from which DuckDB would fetch what it lacks.
    "SET GLOBAL autoinstall_known_extensions = false",
    "ATTACH ':memory:' AS results",
    "CREATE TABLE IF NOT EXISTS catalogue (name VARCHAR, entry VARCHAR)",
    *MACROS,
)
# Optimizers of single releases that end a query for one row of each group with "Failed to bind column reference", or
# "unordered_map::at".
_FAULTY_OPTIMIZERS = {
    "1.5.0": "top_n_window_elimination",
    "1.5.1": "top_n_window_elimination",
    "1.5.3": "window_self_join",
}


def open_engine(folder: Path | None) -> duckdb.DuckDBPyConnection:
    """Return DuckDB over the file in ``folder`` (created when missing), or in memory."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    engine = duckdb.connect(str(folder / "bigquery.duckdb") if folder else ":memory:")
    for statement in _SETTINGS:
        engine.execute(statement)
    engine.execute(f"SET GLOBAL disabled_optimizers = '{_FAULTY_OPTIMIZERS.get(duckdb.__version__, '')}'")
    return engine
