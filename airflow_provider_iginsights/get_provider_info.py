"""The one dict that Airflow reads about this package: what it contains.

Every Airflow process imports this module while it discovers providers, some of them before Airflow itself is
initialised, so it holds data and imports nothing of Airflow.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.hooks.connection_form import CONNECTION_FORM

PACKAGE = "airflow_provider_iginsights"
INTEGRATIONS: list[dict[str, Any]] = [
    {
        "integration-name": "Instagram",
        "external-doc-url": "https://developers.facebook.com/docs/instagram-platform",
        "tags": ["service"],
    },
    {
        "integration-name": "Google BigQuery",
        "external-doc-url": "https://cloud.google.com/bigquery/docs",
        "tags": ["gcp", "google"],
    },
]

CONFIG: dict[str, Any] = {
    "instagram": {
        "description": "The receiver of Instagram webhooks in the API server. Off unless a connection is named.",
        "options": {
            "webhook_conn_id": {
                "description": "Connection whose extras app_secret and webhook_verify_token the receiver uses. "
                "When set, the API server (Airflow 3) takes Meta's calls at /instagram/webhook.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "instagram_default",
                "default": None,
            },
            "webhook_requests_per_minute": {
                "description": "Calls that each process of the API server takes from one address in a minute; "
                "more get status 429.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "600",
            },
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return what ``provider_info.schema.json`` asks for; the entry point ``apache_airflow_provider`` names this."""
    return {
        "package-name": "airflow-provider-iginsights",
        "name": "Instagram Insights",
        "description": "Instagram account, media and story insights in BigQuery, each exactly once, on the right day.",
        "versions": [__version__],
        "integrations": INTEGRATIONS,
        "hooks": [
            {"integration-name": "Instagram", "python-modules": [f"{PACKAGE}.hooks.instagram"]},
            {"integration-name": "Google BigQuery", "python-modules": [f"{PACKAGE}.hooks.bigquery"]},
        ],
        "operators": [
            {
                "integration-name": "Instagram",
                "python-modules": [
                    f"{PACKAGE}.operators.instagram",
                    f"{PACKAGE}.operators.report",
                    f"{PACKAGE}.operators.tables",
                    f"{PACKAGE}.operators.token",
                ],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Instagram",
                "target-integration-name": "Google BigQuery",
                "python-module": f"{PACKAGE}.transfers.instagram_to_bigquery",
            },
            {
                "source-integration-name": "Instagram",
                "target-integration-name": "Google BigQuery",
                "python-module": f"{PACKAGE}.transfers.story_webhook",
            },
            {
                "source-integration-name": "Instagram",
                "target-integration-name": "Google BigQuery",
                "python-module": f"{PACKAGE}.transfers.staged_to_bigquery",
            },
        ],
        "triggers": [{"integration-name": "Instagram", "python-modules": [f"{PACKAGE}.task.wait_trigger"]}],
        "connection-types": [CONNECTION_FORM],
        # Airflow before 3.2 passes it over: the runtime schema of no version forbids other keys.
        "cli": [f"{PACKAGE}.cli.definition.get_instagram_commands"],
        "config": CONFIG,
        "extra-links": [
            f"{PACKAGE}.links.bigquery.BigQueryTableLink",
            f"{PACKAGE}.links.bigquery.BigQueryLoadJobLink",
            f"{PACKAGE}.links.bigquery.BigQueryMergeJobLink",
            f"{PACKAGE}.links.instagram.InstagramAccountLink",
        ],
    }
