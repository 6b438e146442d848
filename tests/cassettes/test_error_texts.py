"""The text of an error keeps its meaning: words of Meta's, names of metrics, codes and days."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest

from airflow_provider_iginsights.cassettes.pseudonyms import Pseudonyms
from airflow_provider_iginsights.cassettes.replacing import Replacing
from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.graph.error_mapping import classify
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.sandbox.graph.errors import ERRORS

METRICS = ", ".join(metric.name for metric in (*ACCOUNT_METRICS, *MEDIA_METRICS))
REPLACING = Replacing(Pseudonyms("grains"))


def replace_error(error: dict[str, Any]) -> Any:
    """Return what a cassette holds of an error in a JSON body."""
    return REPLACING.replace_body(json.dumps({"error": error}).encode())["json"]["error"]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_keeps_its_meaning(name: str) -> None:
    """Each text of Meta's errors leads to the same class of error as before, for accounts, posts and tokens."""
    kind = ERRORS[name]
    error = {
        "message": kind.text,
        "code": kind.code,
        "error_subcode": kind.subcode,
        "is_transient": kind.is_transient,
        "error_user_title": kind.user_title,
        "error_user_msg": kind.user_message,
    }
    found = replace_error(error)
    for subject in (Subject("account", "1"), Subject("story", "1"), Subject("token", "")):
        request = GraphRequest("1", {}, subject)
        before, after = (classify(each, request=request, http_status=kind.http) for each in (error, found))
        assert type(before) is type(after)
        assert before.message.partition(" Meta said:")[0] == after.message.partition(" Meta said:")[0]


@pytest.mark.parametrize(
    "text",
    [
        "(#10) Die App hat keine Berechtigung für diese Aktion",
        "(#10) アプリケーションにはこの操作を実行する権限がありません",
        "(#10) У приложения нет разрешения на это действие",
        "(#10) لا يملك التطبيق إذن للقيام بهذا الإجراء",
        "(#10) L'application n'a pas l'autorisation",
    ],
)
def test_a_translated_error_keeps_its_meaning(text: str) -> None:
    """The stem of "permission" stays readable in other languages; the words around it need not."""
    story = GraphRequest("1", {}, Subject("story", "1"))
    before, after = (
        classify(error, request=story, http_status=400)
        for error in ({"message": text, "code": 10}, replace_error({"message": text, "code": 10}))
    )
    assert type(before) is type(after)


def test_names_of_metrics_and_fields_stay_in_errors() -> None:
    """What Meta refuses, or says that it accepts, is still named."""
    text = f"(#100) metric[0] must be one of the following values: {METRICS}"
    assert replace_error({"message": text}) == {"message": text}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("(#200) 312 of 2026-11-21, metric[0], v25.0, 12 34", "(#200) 312 of 2026-11-21, metric[0], v25.0, 12 34"),
        ("(#100) 1 2 3 4", "(#100) 1 2 3 4"),
        ("(#10) 127.0.0.1", "(#10) 127.0.0.1"),
    ],
)
def test_other_numbers_stay_in_errors(text: str, kept: str) -> None:
    """Codes, days, places in lists and versions are no telephone numbers."""
    assert replace_error({"message": text}) == {"message": kept}


@pytest.mark.parametrize(
    "text",
    [
        "Session has expired on Monday, 02-Nov-26 04:00:00 PST. The current time is Tuesday, 03-Nov-26 05:18:34 PST.",
        "Session has expired at unix time 1795000000. The current unix time is 1795003600.",
        "(#100) There cannot be more than 30 days (2592000 s) between since and until",
    ],
)
def test_times_stay_in_errors(text: str) -> None:
    """In the forms in which Meta tells when a session has ended, and how long a range may be."""
    assert replace_error({"message": text}) == {"message": text}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("unix time 12345671234567", "12345671234567"),
        ("since 1795000000", "1795000000"),
        ("02-Nov-26 04:00:00:1234567", "1234567"),
        ("02-Ann-26 12:34:56", "26 12:34:56"),
        ("days (12345671 seconds)", "12345671"),
        ("(2592000 s)", "2592000"),
    ],
)
def test_numbers_that_tell_no_time(text: str, number: str) -> None:
    """In any other form they may be an id or a telephone number."""
    assert number not in replace_error({"message": text})["message"]


@pytest.mark.parametrize("name", ["Зоя", "Zoë", "面包店", "Ludmilla", "५०१२"])
def test_a_name_in_references(name: str) -> None:
    """A name whose letters are written as numbers, as in HTML, is replaced as well."""
    text = "".join(f"&#{ord(letter)};" for letter in name)
    found = replace_error({"message": f"The user {text} isn&#039;t found: {text}"})["message"]
    assert re.fullmatch(r"The user (&#[0-9;&#]+;) isn&#039;t found: \1", found)
    assert html.unescape(text) == name
    assert text not in found
    kept = zip(re.findall("[0-9]+", found), re.findall("[0-9]+", text), strict=False)
    assert sum(before == after for before, after in kept) <= len(name) // 2


@pytest.mark.parametrize(
    "text",
    [
        "Demographic data isn't available",
        "You can learn about your audience once this metric has more than 100 people in each breakdown.",
        "The session was invalidated explicitly using an API call. Wait 3600 seconds.",
        "(#190) This method must be called with a Page Access Token",
        "Unknown path components: /impressions/day",
        "Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api",
        "Object does not exist, cannot be loaded due to missing permission or reviewable feature. This endpoint needs "
        "the 'Page Public Content Access' feature. Refer to "
        "https://developers.facebook.com/docs/apps/review/login-permissions#manage-pages for details.",
    ],
)
def test_words_of_an_error_stay(text: str) -> None:
    """Whoever reads a cassette sees what Meta said, and where it is explained."""
    error = dict.fromkeys(("message", "error_user_title", "error_user_msg"), text)
    assert replace_error(error) == error


@pytest.mark.parametrize(
    "text",
    [
        "https://developers.facebook.com/apps/312083254664235/ludmilla?id=312083254664235#ludmilla",
        "https://www.facebook.com/ludmilla/docs#ludmilla",
    ],
)
def test_an_address_in_an_error(text: str) -> None:
    """Of a page for developers, too, only Meta's own words stay."""
    found = replace_error({"message": text})["message"]
    assert not any(word in found for word in ("ludmilla", "312083254664235"))
