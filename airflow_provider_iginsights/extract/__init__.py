"""From Meta's answers to rows: what to ask for an account, its posts and its stories, and what each answer becomes.

No Airflow in here.
"""
