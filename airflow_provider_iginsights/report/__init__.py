"""One account's insights of a period as one HTML file: rows from BigQuery, charts and tables. No Airflow."""
