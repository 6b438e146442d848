"""A local Graph API that behaves like Meta's: Instagram accounts, media, stories, their insights, on a real socket."""

from __future__ import annotations

from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph.edits import REMOVE, Edit
from airflow_provider_iginsights.sandbox.graph.effects import (
    DeleteObject,
    DropAfterHeaders,
    DropConnection,
    EmptyPage,
    ErrorEffect,
    HtmlBody,
    NoUsageHeaders,
    NullItem,
    ReduceData,
    RefuseField,
    SamePage,
    ServedVersion,
    Slow,
    TruncatedBody,
)
from airflow_provider_iginsights.sandbox.graph.errors import GraphError
from airflow_provider_iginsights.sandbox.graph.faults import FaultScript, GraphFault
from airflow_provider_iginsights.sandbox.graph.objects import (
    Account,
    Business,
    FacebookPage,
    Media,
    Token,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.record import Received
from airflow_provider_iginsights.sandbox.graph.rules import MediaMetric, UserMetric
from airflow_provider_iginsights.sandbox.graph.sandbox import GraphSandbox
from airflow_provider_iginsights.sandbox.graph.shapes import SHAPES
from airflow_provider_iginsights.sandbox.graph.usage import UsageCounter
from airflow_provider_iginsights.sandbox.graph.webhooks import WebhookSender
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = [
    "REMOVE",
    "SHAPES",
    "Account",
    "Business",
    "Clock",
    "DeleteObject",
    "DropAfterHeaders",
    "DropConnection",
    "Edit",
    "EmptyPage",
    "ErrorEffect",
    "FacebookPage",
    "FaultScript",
    "GraphError",
    "GraphFault",
    "GraphSandbox",
    "HtmlBody",
    "Media",
    "MediaMetric",
    "NoUsageHeaders",
    "NullItem",
    "Received",
    "ReduceData",
    "RefuseField",
    "SamePage",
    "ServedVersion",
    "Slow",
    "Token",
    "TruncatedBody",
    "UsageCounter",
    "UserMetric",
    "WebhookSender",
    "World",
    "appsecret_proof",
]
