"""Reads accounts, posts and stories from the Graph API and turns the answers into rows. It does not import Airflow."""
