"""The hook: born late, one client, masked secrets, and the form for older Airflows."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import pytest

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS, CONNECTION_FORM
from airflow_provider_iginsights.hooks.instagram import InstagramHook

TOKEN = "EAAGtoken1234567890"


def test_constructor_touches_nothing():
    """A hook for a connection that does not exist can be made: a Dag file that is parsed has no connections."""
    hook = InstagramHook("nobody_knows_me", api_version="v24.0")
    assert (hook.instagram_conn_id, hook.api_version) == ("nobody_knows_me", "v24.0")


def test_missing_connection_is_named():
    """Using a connection that Airflow does not know says so, and how to create it."""
    with pytest.raises(ConfigurationError, match="knows no connection 'nobody_knows_me'"):
        InstagramHook("nobody_knows_me").get_conn()


def test_a_number_as_connection_is_explained():
    """A native template makes a number of an id of digits: the error says how to write it."""
    with pytest.raises(ConfigurationError, match=r"the id of an Airflow connection, not 4711\..*quotes of its own"):
        InstagramHook(4711).get_conn()


def test_client_reads_the_graph_api(graph, connect):
    """The client that comes from a connection reads an account over the wire."""
    account_id = next(iter(graph.world.accounts))
    hook = connect(password=graph.world.system_user_token, host=graph.url)
    answer = hook.get_conn().get(GraphRequest(account_id, {"fields": "username"}))
    assert answer.body["username"] == graph.world.accounts[account_id].username
    assert answer.api_version == "v25.0"


def test_client_is_one(connect):
    """The same client comes back each time, so that pacing and connections are shared."""
    hook = connect(password=TOKEN)
    assert hook.get_conn() is hook.get_conn()


@pytest.mark.parametrize(("argument", "extra", "used"), [("v24.0", "v23.0", "v24.0"), (None, "v23.0", "v23.0")])
def test_argument_wins_over_connection(connect, argument, extra, used):
    """The hook's api_version is used before the connection's."""
    hook = connect(api_version=argument, password=TOKEN, extra={"api_version": extra})
    assert hook.get_conn().settings.api_version == used


def test_refuses_a_wrong_version_argument(connect):
    """A version that cannot be is named as the hook's, not the connection's."""
    with pytest.raises(ConfigurationError, match=r"^InstagramHook: api_version"):
        connect(api_version="latest", password=TOKEN).get_conn()


def test_defaults_for_operators(connect):
    """The connection says which accounts, and how many at once."""
    hook = connect(password=TOKEN, extra={"account_ids": "17841405822304914", "max_workers": 2})
    assert (hook.account_ids, hook.max_workers) == (("17841405822304914",), 2)


def test_masks_what_is_derived_from_secrets(connect):
    """Airflow's log masker learns the appsecret_proof, which it cannot know from the connection."""
    from tests.support.airflow_versions import redact

    client = connect(password="EAAGmask|ed1234", extra={"app_secret": "0123456789abcdef"}).get_conn()
    assert redact(f"proof {client.settings.make_appsecret_proof()} token EAAGmask%7Ced1234") == "proof *** token ***"


def test_old_field_behaviour_is_the_new_one():
    """What Airflow 2.11 to 3.1 ask the hook for is the same data under the old names."""
    new, old = CONNECTION_FORM["ui-field-behaviour"], InstagramHook.get_ui_field_behaviour()
    assert old == {
        "hidden_fields": new["hidden-fields"],
        "relabeling": new["relabeling"],
        "placeholders": new["placeholders"],
    }


def is_installed(name: str) -> bool:
    """Return whether a distribution is installed, whatever stands in the place of its modules."""
    with suppress(PackageNotFoundError):
        return bool(version(name))
    return False


def test_old_widgets_are_the_new_fields():
    """Older Airflows get a widget per extra field, of the right kind; an empty number is allowed."""
    # Airflow 3 leaves mocks of both in the place of the modules where they are not installed.
    if not is_installed("flask-appbuilder"):
        pytest.skip("the form of Airflow 2 needs flask-appbuilder")
    wtforms = pytest.importorskip("wtforms")
    widgets = InstagramHook.get_connection_form_widgets()
    assert list(widgets) == list(CONN_FIELDS)
    assert widgets["app_secret"].field_class is wtforms.PasswordField
    assert widgets["timeout"].field_class is wtforms.IntegerField
    assert widgets["account_ids"].field_class is wtforms.StringField
    assert all(widget.kwargs["description"] == CONN_FIELDS[name]["description"] for name, widget in widgets.items())


def test_imports_are_light():
    """Dag processors import these all the time: nothing heavy comes along beyond what Airflow loads itself."""
    code = """
import importlib, sys
from airflow_provider_iginsights._compat import BaseHook, BaseOperatorLink
before = set(sys.modules)
for name in ("hooks.instagram", "hooks.bigquery", "hooks.connection", "links.bigquery", "retry_policy"):
    importlib.import_module(f"airflow_provider_iginsights.{name}")
heavy = {"google", "requests", "urllib3", "pandas", "pyarrow", "duckdb", "httpx", "aiohttp"}
print("heavy:", *heavy & {name.split(".")[0] for name in set(sys.modules) - before})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]
