"""A day at Instagram, from Meta's answers to BigQuery, played by the sandbox and a real Airflow."""
