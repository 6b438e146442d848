"""The asset whose events carry Meta's notifications, so that receiver and Dags mean the same one."""

from __future__ import annotations

ASSET_NAME = "instagram_story_insights_webhook"
ASSET_URI = "instagram://webhooks/story_insights"
PAYLOAD_KEY = "payload"
"""Key of an event's extra that holds the notification, as Meta sent it."""
