"""The link to the table in the BigQuery console, as Airflow stores and shows it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from airflow_provider_iginsights.links.bigquery import BigQueryTableLink, job_url, table_url
from airflow_provider_iginsights.links.instagram import account_url

PARTS = {"project": "my-project", "dataset": "social media", "table_id": "instagram_account_insights"}


def test_address_names_the_table():
    """The address leads to the console, with project, dataset and table as parameters."""
    url = urlsplit(table_url(**PARTS))
    assert (url.scheme, url.netloc, url.path) == ("https", "console.cloud.google.com", "/bigquery")
    expected = {"project": "my-project", "p": "my-project", "d": "social media", "page": "table"}
    assert parse_qs(url.query) == {k: [v] for k, v in {**expected, "t": "instagram_account_insights"}.items()}


def test_links_of_one_operator_differ():
    """Two links on one operator have names and keys of their own."""
    links = [BigQueryTableLink(), BigQueryTableLink(content="posts")]
    assert [link.name for link in links] == ["BigQuery table", "BigQuery table (posts)"]
    assert len({link.xcom_key for link in links}) == 2


def test_link_is_rebuilt_from_its_arguments():
    """Airflow 2 stores a link as its class and arguments, and makes it anew."""
    link = BigQueryTableLink(content="posts")
    assert BigQueryTableLink(**json.loads(json.dumps(attrs.asdict(link)))) == link


@pytest.mark.parametrize("content", ["", "posts"])
def test_task_puts_the_address_down(content):
    """The task pushes the address under the key from which Airflow 3 shows the link."""
    pushed = {}
    context = {"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))}
    link = BigQueryTableLink(content=content)
    link.persist(context, table_url(**PARTS))
    assert pushed == {link.xcom_key: table_url(**PARTS)}


def test_address_of_a_job_and_of_an_account():
    """A job is named with its project and place, as Google's console takes it; an account by its username."""
    url = urlsplit(job_url(project="my-project", location="EU", job_id="iginsights-merge-1-2"))
    assert parse_qs(url.query)["ws"] == ["!1m5!1m4!1m3!1smy-project!2siginsights-merge-1-2!3sEU"]
    assert account_url("a.brand_1") == "https://www.instagram.com/a.brand_1/"
    assert account_url("../x") == "https://www.instagram.com/..%2Fx/"
