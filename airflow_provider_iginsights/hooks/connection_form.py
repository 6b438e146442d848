"""How the Connection form looks, as data. Airflow 3.2 and newer read only this; older ones, what is built from it.

Airflow reads it before it is initialised itself, so it imports nothing of Airflow. The keys of the form are spelt with
hyphens: with underscores Airflow shows an empty form and says so nowhere.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION

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
    "token_variable": {
        "label": "Token variable",
        "description": "Airflow Variable whose token is used instead of the password, once it exists. "
        "InstagramRefreshTokenOperator writes it. Its name must contain access_token, so that Airflow hides it.",
        "schema": {"type": ["string", "null"], "pattern": r"^[A-Za-z0-9_.-]{0,100}access_token[A-Za-z0-9_.-]{0,100}$"},
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
        "description": "How many accounts a task may read at the same time. Empty: 16.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 32},
    },
}

CONNECTION_FORM: dict[str, Any] = {
    "connection-type": CONN_TYPE,
    "hook-class-name": "airflow_provider_iginsights.hooks.instagram.InstagramHook",
    "hook-name": HOOK_NAME,
    "ui-field-behaviour": {
        "hidden-fields": ["port", "login", "schema"],
        "relabeling": {"password": "Access token", "host": "Graph API host"},
        "placeholders": {
            "password": "token of a system user, a Page or an Instagram user",
            "host": "graph.facebook.com (Instagram Login: graph.instagram.com)",
            "api_version": DEFAULT_API_VERSION,
            "account_ids": "17841405822304914,17841401441775531",
            "token_variable": "instagram_default_access_token",
            "timeout": "60",
            "max_workers": "16",
        },
    },
    "conn-fields": CONN_FIELDS,
}
