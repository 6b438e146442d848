"""What a pseudonym keeps of a text, an id or an address, and what of an answer is no pseudonym at all."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.cassettes.pseudonyms import Pseudonyms
from airflow_provider_iginsights.cassettes.replacing import Replacing
from airflow_provider_iginsights.cassettes.request_words import is_secret
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.sandbox.graph.dimensions import DIMENSION_VALUES

PSEUDONYMS = Pseudonyms("grains")

REPLACING = Replacing(PSEUDONYMS)


def replace_json(value: Any) -> Any:
    """Return what a cassette holds of a JSON body."""
    return REPLACING.replace_body(json.dumps(value).encode())["json"]


SHORT = st.text(max_size=6).filter(lambda name: not is_secret(name))


@given(SHORT, SHORT)
def test_two_texts_stay_two(first: str, second: str) -> None:
    """And an object keeps as many fields as it had."""
    assert (PSEUDONYMS.replace_text(first) == PSEUDONYMS.replace_text(second)) is (first == second)
    named = {first: 1, second: 2, "id": 3, "US": 4, "25-34": 5, "day": 6}
    assert len(replace_json(named)) == len(named)
    measured = replace_json({"name": "reach", "period": "day", "values": [{"value": named}]})
    assert len(measured["values"][0]["value"]) == len(named)


def test_an_id_is_the_same_wherever_it_stands() -> None:
    """In ids of insights, lists, keys, numbers, paging links, paths, batches' usage headers."""
    real, other = "17841405822304914", PSEUDONYMS.replace_id("17841405822304914")
    body = replace_json(
        {
            "id": f"{real}/insights/reach/day",
            "owner": {"id": real},
            "target_ids": [real, int(real)],
            real: {"user_id": int(real)},
            "paging": {"next": f"https://graph.facebook.com/v25.0/{real}/media?access_token=EAAG1&after=QVFI&limit=5"},
        }
    )
    assert body["id"] == f"{other}/insights/reach/day"
    assert body["owner"] == {"id": other}
    assert body["target_ids"] == [other, int(other)]
    assert body[other] == {"user_id": int(other)}
    cursor = PSEUDONYMS.replace_opaque("QVFI")
    assert body["paging"]["next"] == (
        f"https://graph.facebook.com/v25.0/{other}/media?access_token=%2A%2A%2A&after={cursor}&limit=5"
    )
    assert REPLACING.replace_params({"after": "QVFI", "access_token": "EAAG1"}) == {"after": cursor}
    assert REPLACING.replace_path(f"/{real}/media") == f"{other}/media"
    usage = f'{{"{real}":[{{"type":"instagram","call_count":1}}],"{real}":[]}}'
    assert REPLACING.replace_headers([("X-Business-Use-Case-Usage", usage), ("Set-Cookie", "x")]) == {
        "x-business-use-case-usage": usage.replace(real, other)
    }


@pytest.mark.parametrize(
    "address",
    [
        "https://www.facebook.com/permalink.php?story_fbid=312083254664235&id=17841405822304914",
        "https://www.facebook.com/17841405822304914/posts/312083254664235/?comment_id=17841405822304914_312083254664235",
        "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=17841405822304914&signature=AbwX",
        "https://platform-lookaside.fbsbx.com/platform/profilepic/?psid=17841405822304914&width=50&hash=AeQ",
        "https://graph.facebook.com/v25.0/17841405822304914/tags?user_id=17841405822304914&limit=25",
    ],
)
def test_an_id_is_the_same_in_a_link(address: str) -> None:
    """Also where it is a parameter; what is no id there is other letters and digits."""
    replaced = replace_json({"link": address})["link"]
    for real in ("17841405822304914", "312083254664235"):
        assert replaced.count(PSEUDONYMS.replace_id(real)) == address.count(real)
        assert real not in replaced
    assert not re.search("AbwX|AeQ|=50", replaced)


def test_a_post_has_one_short_code_and_one_owner() -> None:
    """The link to a post holds the pseudonym of its short code; a link to a profile or story that of the username."""
    body = replace_json(
        {
            "shortcode": "DbQ_x-1",
            "permalink": "https://www.instagram.com/reel/DbQ_x-1/",
            "username": "blue.bottle",
            "stories": {"permalink": "https://www.instagram.com/stories/blue.bottle/17800000010000000"},
            "media_url": "https://scontent-fra3-1.cdninstagram.com/v/t51/1.jpg?oh=abc&oe=6B",
        }
    )
    assert body["permalink"] == f"https://www.instagram.com/reel/{body['shortcode']}/"
    assert f"/stories/{body['username']}/" in body["stories"]["permalink"]
    assert body["media_url"].startswith("https://scontent.cdninstagram.com/")
    assert ".jpg?oh=" in body["media_url"]


@pytest.mark.parametrize(
    "field",
    ["alt_text", "biography", "caption", "description", "message", "name", "text", "title", "username", "website"],
)
@pytest.mark.parametrize("text", ["1987", "24.7", "-77", "0007", "+49 30", "1987_5"])
def test_a_number_that_a_person_is_called_by(field: str, text: str) -> None:
    """What people write is replaced, a short number, too; what counts something stays, also as a text."""
    body = replace_json({field: text, "like_count": text, "is_shared": "1"})
    assert re.fullmatch(re.sub("[0-9]", "[0-9]", re.escape(text)), body[field])
    assert body[field] != text
    assert body["is_shared"] == "1"
    assert replace_json({"like_count": "1987"}) == {"like_count": "1987"}


@pytest.mark.parametrize("username", ["1987", "1987_5", "1987_66001", "1987.5", "66001", "66001_5", "7"])
@pytest.mark.parametrize("address", ["https://www.instagram.com/{}/", "https://instagram.com/stories/{}/17800000010"])
def test_a_username_of_digits_in_an_address(username: str, address: str) -> None:
    """It is another one, and the same as in its field."""
    body = replace_json({"username": username, "permalink": address.format(username)})
    assert body["username"] != username
    assert body["permalink"].startswith(address.format(body["username"]).partition("/17800000010")[0])


NUMBERS = {
    "name": "reach",
    "period": "day",
    "values": [{"value": 12, "end_time": "2018-01-11T08:00:00+0000"}, {"value": "12"}, {"value": 48.4}],
    "total_value": {
        "value": 224_000_000_000_000,
        "breakdowns": [
            {
                "dimension_keys": ["timeframe", "gender", "age"],
                "results": [{"dimension_values": ["LAST_90_DAYS", "F.25-34"], "value": 263}],
            }
        ],
    },
}


@pytest.mark.parametrize(
    "value",
    [
        NUMBERS,
        {
            "name": "audience_gender_age",
            "period": "lifetime",
            "values": [{"value": {"F.25-34": 5, "0": 1, "23": 1_000_000, "65+": 7, "US": 123_456_789, "de_DE": 8}}],
        },
        {
            "media_type": "CAROUSEL_ALBUM",
            "media_audio_type": "ORIGINAL_AUDIO",
            "media_product_type": "FEED",
            "timestamp": "2026-05-07T13:00:34+0000",
        },
        {"like_count": 5, "comments_count": "17", "is_comment_enabled": True, "caption": None},
        {"scopes": ["catalog_management", "instagram_branded_content_brand", "instagram_manage_upcoming_events"]},
        {"scopes": ["instagram_basic"], "type": "SYSTEM_USER", "expires_at": 1693407600, "is_valid": True},
        {"data": [], "paging": {}},
        {"cursors": {"before": "", "after": ""}},
        {"type": "SYSTEM_USER", "tasks": ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MANAGE", "MESSAGING", "MODERATE"]},
        {"account_type": "MEDIA_CREATOR", "status": "IN_PROGRESS", "media_product_type": "AD"},
        {"name": "reach", "values": [{"value": 12_345_678_901}]},
        {"name": "reach", "period": None, "total_value": {"value": 12_345_678_901}},
        {"name": "a_metric_of_next_year", "period": "day", "total_value": {"value": 1}},
        {"name": "reach", "period": "day"},
        {"followers_count": 123_456_789, "count": 9_999_999_999, "views": 10_000_000, "reach": "10000000"},
        {"issued_at": 1347235328, "end_time": 1785567600, "data_access_expires_at": 1563217616, "expires_in": 5183944},
        {"code": 190, "error_subcode": 2108006, "some_new_number": 9999, "some_rate": 0.25},
        {"error_type": "OAuthException", "code": 400, "error_message": "Invalid authorization code"},
        {"access_token": None, "token_type": "bearer", "is_token_valid": True},
    ],
    ids=str,
)
def test_what_is_measured_is_kept(value: Any) -> None:
    """Numbers in every form, times, Meta's own words, absent and empty things are as Meta sent them."""
    assert replace_json(value) == value


def measure(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a metric with one value."""
    return {"name": "views", "period": "day", "values": [entry], "total_value": {"breakdowns": [{"results": [entry]}]}}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Ludmilla"},
        {"name": "Ludmilla", "period": 3, "category": "Bakery"} | {"name": "Ludmilla Z"},
        {"handle": "reach"},
        {"name": "phone_number", "values": ["1234567", 1234567, "Ludmilla"]},
        {"name": "ludmilla", "values": [{"value": 312083254664235}]},
        {"name": "ludmilla", "period": "of time", "total_value": {"value": {"Ludmilla": 312083254664235}}},
        {"some_new_field_of_meta": "Ludmilla"},
        {"list": ["Ludmilla", {"text": "Ludmilla"}]},
        {"Ludmilla Z": 1},
        {"message": "Ludmilla"},
        {"error": "Ludmilla"},
        {"error": {"message": "(#200) Ludmilla has not authorized application 312083254664235"}},
        {"email": "l@bakery.example", "phone_number": 49301234567},
        {"website": "https://ludmilla.example/shop?who=ludmilla"},
        {"status": "+49 30 1234567"},
        {"status": "ludmilla", "scopes": ["ludmilla_bakery"], "type": "Ludmilla Z"},
        {"period": None, "name": None, "title": "Ludmilla"},
        {"period": "of time", "name": "ludmilla"},
        {"id": "17841405822304914/ludmilla"},
        {"url": "https://x.cdninstagram.com/v/ludmilla.jpg?ludmilla=1"},
        {"type": "Ludmilla@bakery"},
        {"status": "April May 312083254664235", "type": "April May", "tasks": ["April May"], "name": "Ludmilla"},
        {"status": "LUDMILLA", "type": "LUDMILLA_BAKERY", "tasks": ["LUDMILLA"]},
        {"name": "ludmilla", "period": "day"},
        measure({"dimension_values": ["Ludmilla", "ludmilla", "Ludmilla, Bakery (state)", "LUDMILLA", "F|ludmilla"]}),
        measure({"value": {"Ludmilla": 1, "zwieback_bakery": 2, "l@bakery": 3, "+1234567": 4, "312083254664235": 5}}),
        measure({"value": "5551234567123", "title": "Ludmilla", "name": "ludmilla", "id": 312083254664235000}),
        {"error": {"message": "No", "error_data": '{"blame_field_specs":[["ludmilla"]],"ids":[312083254664235]}'}},
        {"error": {"error_user_msg": ["ludmilla", {"ludmilla": 1}], "error_data": {"message": "of ludmilla"}}},
        {"data": {"application": "Ludmilla", "metadata": {"auth_type": "ludmilla"}, "profile_id": "312083254664235"}},
        {"tags": [{"user": {"username": "ludmilla"}, "x": 0.4642857}], "collaborators": {"data": [{"id": 1234567}]}},
        {"boost_ads_list": [{"ad_id": 1234567}], "music_metadata": {"artist_name": "Ludmilla"}, "ig_id": 1234567},
        {
            "url": "https://ludmilla:bakery@www.instagram.com:1234567/p/x/",
            "next": "https://zwieback@graph.facebook.com/me",
        },
        {"website": "https://l.instagram.com/?u=https%3A%2F%2Fludmilla.example%2Fbakery&e=AT0"},
        {"url": "https://www.instagram.com/ludmilla.bakery/reel/Cludmilla/?igsh=bHVkbWlsbGE"},
        {"Ludmilla": 1, "zwieback_bakery": {"x": 1}, "ludmilla.z": 2, "t_312083254664235": 3, "1234567_1": 4},
        {"message": "An error of Ludmilla", "data": [{"message": "Ludmilla has no permission"}], "errors": "Ludmilla"},
        dict.fromkeys(("uid", "nid", "source", "some_new_number", "value", "ref", "2418779"), 1234567),
        dict.fromkeys(("phone", "count", "views", "time", "value"), 12345671234),
        {"count": "12345671234", "value": "1234567", "zip_code": "1234567", "created_time": "12345671234"},
        {"latitude": "40.1234567", "x": "-0.1234567", "y": "+1234567.5", "z": "0001234567"},
        {"latitude": 46.948, "longitude": -7.4474, "lat": "46.948", "lng": "-7.4474", "altitude": 123.45},
        {"caption": "12345,April,May", "title": "12345/april", "phone": "01234/4567", "about": "123456_1,april"},
        {"latitude": 40.1234567, "longitude": -75.1234567, "x": 1.234567e-7, "ids": [1234567, [1234567]]},
        [1234567, "ludmilla", ["Ludmilla"]],
        "ludmilla",
        {"birthday": "1980-12-06", "born": "1980-12-06T00:00:00+0000"},
        {"website": "https://bakery.example/anna.ludmilla?metric=ludmilla&period=ludmilla&since=ludmilla"},
        {"next": "https://graph.facebook.com/v25.0/1/insights?metric=ludmilla&breakdown=bakery&limit=312083254664235"},
        {"value": "312083254664235000", "values": [{"value": "-312083254664235000"}], "like_count": "312083254664235"},
        {"value": 312083254664235000.0, "id": 312083254664235.0, "ids": [-312083254664235]},
        dict.fromkeys(("owner", "user", "from", "page", "app", "profile", "fbid"), 312083254664235),
        dict.fromkeys(("owner", "user", "from", "page", "app", "profile", "fbid", "id", "page_id"), 1234567),
        {"error": {"message": "Call 030 1234567 or (555) 123-4567 of ludmilla.bakery@post.com"}},
        {"error": {"message": "9123 4567, 12·34·56·7, 12–34–56–7, 12/34/567, 1234.567, +1 (234) 567"}},
        {"error": {"message": "12\u00a034\u00a056\u00a07 or 12\n34\n567"}},
        {"error": {"message": "token ludmilla7, EAAGb1c2d3e4, x1234567y, from 1.23.45.67"}},
        {"error": {"message": "bakery@ludmilla @ludmilla.post will.may@bakery.com"}},
        {"password": 1234567, "access_token": {"value": "312083254664235", "x": ["Ludmilla"]}, "app_secret": 1.5},
        {"access_token": "EAAGludmilla", "token": ["EAAGludmilla"], "client_secret": "ludmilla"},
    ],
    ids=str,
)
def test_any_other_text_is_replaced(value: Any) -> None:
    """What is not known to be Meta's own is not kept, whatever its field is called."""
    written = json.dumps(replace_json(value), ensure_ascii=False).lower()
    assert written != json.dumps(value, ensure_ascii=False).lower()
    for word in (
        "ludmilla",
        "bakery",
        "312083254664235",
        "1234567",
        '"reach"',
        "eaag",
        "will.may",
        "1980-12-06",
        "april",
        "6.948",
        "7.4474",
        "123.45",
    ):
        assert word not in written
    assert "4567" not in re.sub("[^0-9]", "", written)


@pytest.mark.parametrize("dimension", DIMENSION_VALUES)
def test_parts_of_a_number(dimension: str) -> None:
    """Those that are the same for everybody are kept; a city may be a name, and becomes another text, each its own."""
    values = DIMENSION_VALUES[dimension]
    found = replace_json(measure({"dimension_values": values, "value": dict.fromkeys(values, 1)}))["values"][0]
    assert list(found["value"]) == found["dimension_values"]
    if dimension == "city":
        assert not set(values) & set(found["value"])
        assert len(found["value"]) == len(values)
    else:
        assert list(values) == found["dimension_values"]


def test_fields_that_are_read_keep_their_names() -> None:
    """Else a replay would miss their values."""
    fields = {part for table in TABLES for column in table.columns for part in column.field.split(".") if part}
    assert len(fields) > 20
    assert replace_json(dict.fromkeys(fields)) == dict.fromkeys(fields)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Ludmilla</html>",
        b'{"data":[{"name":"Ludm',
        b'{"a":NaN,"b":"Ludmilla"}',
        b"",
        b"\xff{",
        b"1e999",
        b'{"name":"Ludm\xd0',
    ],
)
def test_what_is_no_json_stays_none(content: bytes) -> None:
    """A broken body is as long as before and broken in the same way, without its words."""
    found = REPLACING.replace_body(content)
    assert found.keys() == {"text"}
    assert "Ludm" not in found["text"]
    assert len(found["text"].encode("utf-8", "surrogateescape")) == len(content)
    assert [sign for sign in found["text"] if sign in '{}<>":,'] == [
        sign for sign in content.decode("utf-8", "replace") if sign in '{}<>":,'
    ]


@pytest.mark.parametrize(
    "encoding", ["cp1251", "koi8-r", "gb18030", "latin-1", "shift_jis", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_body_that_is_not_utf_8(encoding: str) -> None:
    """It is as long and still not UTF-8, and no word of it can be read in any encoding."""
    word = {"gb18030": "面包店主", "latin-1": "ßüöäéèñ", "shift_jis": "面包店主"}.get(encoding, "Людмила")
    content = f"<html>{word} {word} Ludmilla</html>".encode(encoding)
    assert word.encode(encoding).removeprefix(codecs.BOM_UTF32).removeprefix(codecs.BOM_UTF16) in content
    written = REPLACING.replace_body(content)["text"].encode("utf-8", "surrogateescape")
    assert len(written) == len(content)
    assert word.encode(encoding) not in written
    assert "Ludmilla".encode(encoding) not in written
    if encoding.startswith("utf"):
        assert set(written) == {ord("*")}
    else:
        kept = sum(before == after for before, after in zip(content, written, strict=True) if before > 0x7F)
        assert kept <= len(word)
        with pytest.raises(UnicodeDecodeError):
            written.decode()


NAMES = st.text().filter(lambda name: not is_secret(name)) | st.sampled_from(["value", "values", "id"])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(JSON)
def test_any_json_keeps_its_structure(value: Any) -> None:
    """As many items and fields, of the same types; what is true, false or null stays so."""
    assert describe_structure(replace_json(value)) == describe_structure(value)
    entry = {"name": "reach", "period": "day", "values": [{"value": value}]}
    assert describe_structure(replace_json(entry)) == describe_structure(entry)


def describe_structure(value: Any) -> Any:
    """Return JSON without its texts, numbers and names."""
    if isinstance(value, dict):
        return [describe_structure(each) for each in value.values()]
    if isinstance(value, list):
        return [[describe_structure(each) for each in value]]
    return value if value is None or isinstance(value, bool) else type(value)


@given(st.binary())
def test_any_body_can_be_recorded(content: bytes) -> None:
    """What is no JSON is written as text of as many bytes."""
    found = REPLACING.replace_body(content)
    assert "json" in found or len(found["text"].encode("utf-8", "surrogateescape")) == len(content)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("content-type", "application/json; charset=UTF-8", True),
        ("content-type", "text/html; name=ludmilla", False),
        ("date", "Sat, 21 Nov 2026 20:00:10 GMT", True),
        ("date", "ludmilla", False),
        ("retry-after", "120", True),
        ("x-app-usage", '{"call_count":1,"total_cputime":2,"total_time":3}', True),
        ("x-app-usage", '{"call_volume":1,"cpu_time":2}', True),
        ("x-app-usage", '{"ludmilla":1}', False),
        ("x-app-usage", "ludmilla", False),
        ("x-app-usage", '{"call_count":1}, {ludmilla: "ludmilla"}', False),
        ("x-business-use-case-usage", '{"type":"pages","ads_api_access_tier":"development_access"}', True),
        ("x-business-use-case-usage", '{"type":"instagram","estimated_time_to_regain_access":17,"code":null}', True),
        ("location", "https://www.facebook.com/ludmilla", False),
    ],
)
def test_headers(name: str, value: str, kept: bool) -> None:
    """A header is kept in the form that Meta writes, and replaced in any other."""
    [replaced] = REPLACING.replace_headers([(name, value)]).values()
    assert (replaced == value) is kept
    assert "ludmilla" not in replaced


@pytest.mark.parametrize("path", ["ludmilla", "ludmilla/media", "/me/ludmilla/", "17841405822304914_ludmilla/insights"])
def test_names_in_a_path(path: str) -> None:
    """Only Meta's words and the form of ids stay."""
    replaced = REPLACING.replace_path(path)
    assert "ludmilla" not in replaced
    assert "17841405822304914" not in replaced
    assert replaced.count("/") == path.strip("/").count("/")


@pytest.mark.parametrize(
    "edge",
    [
        "business_discovery",
        "collaboration_invites",
        "content_publishing_limit",
        "conversations",
        "mentioned_comment",
        "mentioned_media",
        "recent_media",
        "recently_searched_hashtags",
        "top_media",
        "upcoming_events",
    ],
)
def test_edges_of_an_account(edge: str) -> None:
    """They stay, as fields too: else a run that asks for them through the client finds nothing in its cassette."""
    assert REPLACING.replace_path(f"17841405822304914/{edge}").endswith(f"/{edge}")
    assert REPLACING.replace_params({"fields": f"{edge}{{id}}"}) == {"fields": f"{edge}{{id}}"}
    assert replace_json({edge: None}) == {edge: None}


@pytest.mark.parametrize(
    "path", ["ig_hashtag_search", "me/accounts", "me/businesses", "debug_token", "oauth/access_token", "", "me"]
)
def test_paths_that_are_the_same_for_everybody(path: str) -> None:
    """They stay."""
    assert REPLACING.replace_path(path) == path
