"""The connections: to the Instagram Graph API, and to BigQuery."""
