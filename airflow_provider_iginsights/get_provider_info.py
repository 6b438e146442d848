"""The one dict that Airflow reads about this package: what it contains and how the Connection form looks.

Every Airflow process imports this module while it discovers providers, some of them before Airflow itself is
initialised, so it holds data and imports nothing of Airflow. The keys of the form are spelt with hyphens: with
underscores Airflow shows an empty form and says so nowhere.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.catalog.versions import DEFAULT_API_VERSION

PACKAGE = "airflow_provider_iginsights"
CONN_TYPE = "instagram"
HOOK_NAME = "Instagram Insights"

# The form only hints: Airflow validates no extra field, so the hook reads these limits again. No field has a
# "default": the form would store it, and the connection would stay behind when the package moves on.
CONN_FIELDS: dict[str, dict[str, Any]] = {
    "api_version": {
        "label": "API version",
        "description": f"Version of the Graph API, such as v25.0. Empty: {DEFAULT_API_VERSION}.",
        "schema": {"type": ["string", "null"], "pattern": r"^v\d{1,3}\.\d{1,2}$"},
    },
    "app_id": {
        "label": "App ID",
        "description": "Id of the app at Meta. With its secret, the connection test can tell when the token expires.",
        "schema": {"type": ["string", "null"], "pattern": r"^\d{1,25}$"},
    },
    "app_secret": {
        "label": "App secret",
        "description": "When set, every call carries appsecret_proof, which an app with Require App Secret asks for.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "webhook_verify_token": {
        "label": "Webhook verify token",
        "description": "The verify token that you enter beside the callback URL in the App Dashboard.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "account_ids": {
        "label": "Account ids",
        "description": "Instagram account ids or @usernames, separated by commas. Empty: all that the token sees.",
        "schema": {"type": ["string", "null"]},
    },
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "How long one call may take to answer. Empty: 60.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 600},
    },
    "max_workers": {
        "label": "Accounts in parallel",
        "description": "How many accounts a task asks for at the same time. Empty: 4.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 32},
    },
}

CONNECTION_FORM: dict[str, Any] = {
    "connection-type": CONN_TYPE,
    "hook-class-name": f"{PACKAGE}.hooks.instagram.InstagramHook",
    "hook-name": HOOK_NAME,
    "ui-field-behaviour": {
        "hidden-fields": ["port", "login", "schema"],
        "relabeling": {"password": "Access token", "host": "Graph API host"},
        "placeholders": {
            "password": "token of a system user, a Page or an Instagram user",
            "host": "graph.facebook.com (Instagram Login: graph.instagram.com)",
            "api_version": DEFAULT_API_VERSION,
            "account_ids": "17841405822304914,17841401441775531",
            "timeout": "60",
            "max_workers": "4",
        },
    },
    "conn-fields": CONN_FIELDS,
}

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
                "description": "Calls that the receiver takes from one address in a minute; more get status 429.",
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
        "operators": [{"integration-name": "Instagram", "python-modules": [f"{PACKAGE}.operators.instagram"]}],
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
        ],
        "connection-types": [CONNECTION_FORM],
        # Airflow before 3.2 passes it over: the runtime schema of no version forbids other keys.
        "cli": [f"{PACKAGE}.cli.definition.get_instagram_commands"],
        "config": CONFIG,
        "extra-links": [f"{PACKAGE}.links.bigquery.BigQueryTableLink"],
    }
