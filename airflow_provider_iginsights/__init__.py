"""Instagram insights inside Apache Airflow, written to BigQuery exactly once.

Airflow imports this package while it is itself half-initialised, so this module imports nothing.
Start at ``transfers.instagram_to_bigquery`` (the operators), ``hooks.instagram`` (the connection) and ``catalog`` (what
Meta offers).
"""

__version__ = "0.1.0"
