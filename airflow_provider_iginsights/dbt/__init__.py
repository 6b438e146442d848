"""Writes a dbt project over the tables: sources, and models that are equal to the views. It knows no Airflow."""
