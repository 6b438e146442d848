"""What a person does in Airflow's pages with this provider works, and is shown in docs/images as it looked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from playwright.sync_api import Locator, Page, expect

from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS, CONNECTION_FORM
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from tests.ui.conftest import Site

Camera = Callable[[Page, str], None]

DAG, TASK, TABLE = "instagram_daily_insights", "account_insights", "instagram_account_insights"
DIALOG = "[data-scope=dialog][data-part=content]"
STANDARD = {"description": "Description", "host": "Graph API host", "password": "Access token"}
EXTRA = {f"element_{name}": field["label"] for name, field in CONN_FIELDS.items()}
SECRETS = [f"element_{name}" for name, field in CONN_FIELDS.items() if field["schema"].get("format") == "password"]
BACKFILLED = """
SELECT run_id FROM dag_run JOIN task_instance USING (dag_id, run_id)
WHERE run_type = 'backfill' AND dag_run.state = 'success' AND task_instance.state = 'success'
GROUP BY run_id HAVING count(*) = 2 ORDER BY run_id
"""


def field(dialog: Locator, name: str) -> Locator:
    """Return an input of the form."""
    return dialog.locator(f"input[name={name}], textarea[name={name}]")


def label_of(dialog: Locator, name: str) -> str:
    """Return what stands beside an input."""
    # What a filter looks for is relative to the group, not to the dialog.
    wanted = dialog.page.locator(f"input[name={name}], textarea[name={name}]")
    group = dialog.locator("[data-scope=field][data-part=root]").filter(has=wanted)
    return group.locator("label").inner_text().strip()


def open_extra_fields(dialog: Locator) -> None:
    """Unfold the fields that only this type of connection has."""
    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    expect(field(dialog, "element_app_secret")).to_be_visible()


def test_a_connection_is_added_by_the_form(page: Page, site: Site, take_picture: Camera) -> None:
    """Every field has its label and no other is shown; what is secret is shown to nobody again, and is stored."""
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.locator(DIALOG)
    dialog.locator("input[name=connection_id]").fill("instagram_by_form")
    dialog.get_by_role("combobox").click()
    page.get_by_role("option", name=CONNECTION_FORM["hook-name"]).click()
    expect(field(dialog, "host")).to_be_visible()
    assert {name: label_of(dialog, name) for name in STANDARD} == STANDARD
    for hidden in CONNECTION_FORM["ui-field-behaviour"]["hidden-fields"]:
        expect(field(dialog, hidden)).to_have_count(0)
    field(dialog, "host").fill(site.host)
    field(dialog, "password").fill(site.token)
    take_picture(page, "connection-form")
    open_extra_fields(dialog)
    assert {name: label_of(dialog, name) for name in EXTRA} == EXTRA
    for name in SECRETS:
        expect(field(dialog, name)).to_have_attribute("type", "password")
        field(dialog, name).fill(APP_SECRET)
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="instagram_by_form")
    row.get_by_role("button", name="Edit Connection").click()
    expect(field(dialog, "password")).to_have_value("***")
    open_extra_fields(dialog)
    for name in SECRETS:
        expect(field(dialog, name)).to_have_value("***")
    for secret in (site.token, APP_SECRET):
        assert secret not in page.content()
    [(stored,)] = site.query("SELECT count(*) FROM connection WHERE conn_id = 'instagram_by_form' AND is_encrypted")
    assert stored == 1


def test_the_test_button_tells_what_the_token_can_do(page: Page, site: Site, take_picture: Camera) -> None:
    """Its message names who answered and the accounts that the token sees, and holds no token."""
    page.goto("/connections")
    row = page.get_by_role("row").filter(has_text="instagram_default")
    row.get_by_role("button", name="Test Connection").click()
    message = page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection Successful")
    expect(message).to_contain_text("The sandbox, in place of graph.facebook.com, answered")
    expect(message).to_contain_text("It sees 2 Instagram accounts: @brand_0001, @brand_0002.")
    take_picture(page, "connection-test")
    assert site.token not in page.content()


def choose_moment(dialog: Locator, page: Page, *, day: date, time: str) -> None:
    """Fill in the first moment of the dialog that is not yet chosen."""
    dialog.get_by_text("Select date and time").first.click()
    page.get_by_placeholder("YYYY/MM/DD").fill(f"{day:%Y/%m/%d}")
    page.get_by_placeholder("HH:mm").fill(time)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def test_a_backfill_is_started_by_the_dialog(page: Page, site: Site, take_picture: Camera) -> None:
    """Two days of the past are read; the log of each says which, and its links lead to the tables that it wrote."""
    today = datetime.now(UTC)
    days = [today.date() - timedelta(days=ago) for ago in (4, 3)]
    page.goto(f"/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.locator(DIALOG)
    dialog.get_by_text("Backfill", exact=True).click()
    choose_moment(dialog, page, day=days[0], time="00:00")
    choose_moment(dialog, page, day=days[1], time="23:00")
    expect(dialog).to_contain_text("2 runs will be triggered.")
    take_picture(page, "backfill")
    dialog.get_by_role("button", name="Run Backfill").click()
    expect(page.get_by_text("Backfill generated")).to_be_visible()
    runs = site.wait_for(lambda: found if len(found := site.query(BACKFILLED)) == len(days) else None, "the backfill")
    for (run_id,), day in zip(runs, days, strict=True):
        page.goto(f"/dags/{DAG}/runs/{run_id}/tasks/{TASK}")
        expect(page.get_by_text(f"Writes {day} (Pacific)")).to_be_visible()
        expect(page.get_by_text("Accounts: 2 done.")).to_be_visible()
        take_picture(page, "task-log")
        page.get_by_role("link", name="Details", exact=True).click()
        link = page.locator("a[href*='console.cloud.google.com/bigquery']").and_(page.locator(f"a[href*='{TABLE}']"))
        expect(link.first).to_be_visible()
        take_picture(page, "task-links")
