"""A protected column: what is left of a row's values, and that a hash is the one that anybody computes."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.extract.column_protection import ColumnProtection, TextHasher, protect_rows

SALT = "a salt of some length"
HASHED = ColumnProtection(hashed={"media": frozenset({"caption", "username"})}, hasher=TextHasher(SALT))


def compute(text: str) -> str:
    """Return the hash by its definition (RFC 2104), without the module that the package uses."""
    key = SALT.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + text.encode()).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()


@given(st.text(min_size=1))
def test_the_hash_is_that_of_the_text_itself(text: str) -> None:
    """HMAC-SHA256 in lower-case hex of the text in UTF-8, the same whenever and wherever it is computed."""
    assert HASHED.apply("media", {"caption": text})["caption"] == compute(text) == TextHasher(SALT).hash(text)


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("Brand", "brand"), ("brand", "brand "), ("ﬁ", "fi")])
def test_nothing_is_normalised(one: str, other: str) -> None:
    """Texts of which a byte differs have different hashes."""
    assert TextHasher(SALT).hash(one) != TextHasher(SALT).hash(other)


def test_a_lone_surrogate_is_hashed() -> None:
    """What a plain text column refuses costs no row here."""
    assert len(TextHasher(SALT).hash("\ud83d")) == 64


@pytest.mark.parametrize("nothing", ["", None])
def test_nothing_stays_nothing(nothing: str | None) -> None:
    """A text that is empty, missing or absent has no hash."""
    assert HASHED.apply("media", {"caption": nothing}) == {"caption": nothing}
    assert HASHED.apply("media", {"media_id": "1"}) == {"media_id": "1"}


def test_only_what_is_named_is_touched() -> None:
    """Per table and column; an excluded value is none, and a column that is not in the row is not put there."""
    protection = ColumnProtection(
        excluded={"accounts": frozenset({"biography"})},
        hashed={"media": frozenset({"username"})},
        hasher=TextHasher(SALT),
    )
    row: dict[str, Any] = {"account_id": "1", "username": "brand", "biography": "Brand since 1900"}
    rows = [("accounts", dict(row)), ("media", dict(row)), ("accounts", {"username": "x"})]
    read = protect_rows(lambda account_id, *_: iter(rows), protection)
    assert list(read("1")) == [
        ("accounts", row | {"biography": None}),
        ("media", row | {"username": compute("brand")}),
        ("accounts", {"username": "x"}),
    ]
    assert protection.covers("accounts", "biography")
    assert not protection.covers("media", "biography")
    assert protection.find_fingerprint("accounts") is None


def test_without_protection_the_reader_is_the_same() -> None:
    """It costs nothing where it is not wanted."""
    read = lambda account_id: iter(())  # noqa: E731
    assert protect_rows(read, ColumnProtection()) is read
    assert not ColumnProtection(excluded={"media": frozenset()})


def test_the_salt_is_not_kept() -> None:
    """Neither the hasher nor what holds it shows it; a fingerprint tells salts apart, and is the hash of no column."""
    assert SALT not in repr(HASHED)
    assert SALT not in repr([getattr(HASHED.hasher, name) for name in TextHasher.__slots__])
    with pytest.raises(TypeError):
        pickle.dumps(HASHED.hasher)
    fingerprints = {TextHasher(salt).fingerprint for salt in (SALT, SALT, SALT + "x")}
    assert len(fingerprints) == 2
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in fingerprints)
    assert (
        HASHED.find_fingerprint("media")
        == hmac.new(SALT.encode(), b"airflow-provider-iginsights: fingerprint of a salt", "sha256").hexdigest()[:32]
    )


def test_which_columns_can_be_protected() -> None:
    """Nullable texts that no key, partition or cluster needs; what tells how a row came to be is none of them."""
    for table in TABLES:
        for name in table.protectable:
            [column] = [each for each in table.columns if each.name == name]
            assert (column.type, column.required) == ("STRING", False)
            assert name not in {*table.key, *table.cluster_by, table.partition_by, "run_id", "api_version", "reason"}
    by_name = {table.name: table.protectable for table in TABLES}
    assert {"username", "name", "biography", "website"} <= set(by_name["accounts"])
    assert {"caption", "alt_text", "permalink", "username", "media_product_type"} <= set(by_name["media"])
    assert by_name["story_polls"] == by_name["story_insights"] == by_name["account_insights"] == ()
