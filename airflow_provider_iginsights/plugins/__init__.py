"""What the package adds to Airflow itself, where it is asked to."""
