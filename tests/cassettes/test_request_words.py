"""What of a request a replay must find again stays, or becomes ``x`` whatever the salt is."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.cassettes.pseudonyms import TOKEN, Pseudonyms
from airflow_provider_iginsights.cassettes.replacing import Replacing

PSEUDONYMS = Pseudonyms("grains")

REPLACING = Replacing(PSEUDONYMS)


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"metric": "reach,ludmilla", "period": "day"}, {"metric": "reach,xxxxxxxx", "period": "day"}),
        ({"breakdown": "Людмила", "limit": "17841405822304914"}, {"breakdown": "xxxxxxx", "limit": "x" * 17}),
        ({"since": "1763683200", "until": "2026-11-21"}, {"since": "1763683200", "until": "2026-11-21"}),
        ({"since": "ludmilla"}, {"since": "xxxxxxxx"}),
        ({"ludmilla": "12", "zwieback[0]": "3"}, {"xxxxxxxx": "12", "xxxxxxxx[0]": "3"}),
        ({"fields": "id,ludmilla,insights.metric(ludmilla)"}, {"fields": "id,xxxxxxxx,insights.metric(xxxxxxxx)"}),
    ],
    ids=str,
)
def test_words_of_a_request(params: dict[str, str], kept: dict[str, str]) -> None:
    """A word that is not Meta's is as long as before, whatever the salt: a replay asks for it by its name."""
    assert REPLACING.replace_params(params) == Replacing(Pseudonyms("other")).replace_params(params) == kept
    assert REPLACING.replace_params(kept) == kept


@pytest.mark.parametrize("username", ["blue.bottle", "blue(x).bottle", "blue),bottle", "blue{bottle}"])
def test_a_username_among_fields(username: str) -> None:
    """No part of it stays, even where it is none that Instagram allows."""
    fields = f"business_discovery.username({username}){{media.limit(3).after(QVX){{id}}}}"
    [replaced] = REPLACING.replace_params({"fields": fields}).values()
    assert "blue" not in replaced
    assert "bottle" not in replaced
    assert replaced.endswith(f"media.limit(3).after({PSEUDONYMS.replace_opaque('QVX')}){{id}}}}")


def test_a_token_among_fields() -> None:
    """It is no argument that anybody sends, and it does not stay."""
    [replaced] = REPLACING.replace_params({"fields": "media.access_token(EAAGblue1bottle){id}"}).values()
    assert replaced == f"media.access_token({TOKEN}){{id}}"


def test_fields_and_their_arguments() -> None:
    """A field list stays, but for the argument of a call that may be a name."""
    params = {"fields": "id,insights.metric(reach,views).period(day),business_discovery.username(blue.bottle){id}"}
    [replaced] = REPLACING.replace_params(params).values()
    assert replaced.startswith("id,insights.metric(reach,views).period(day),business_discovery.username(")
    assert "blue" not in replaced
