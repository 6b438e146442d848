"""Reads the salt of hashed columns from Airflow: the password of a connection, or a Variable."""

from __future__ import annotations

from airflow_provider_iginsights._compat import AirflowNotFoundException, BaseHook, read_variable
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.extract.column_protection import ColumnProtection, TextHasher
from airflow_provider_iginsights.hooks.secret_frames import without_frames
from airflow_provider_iginsights.hooks.token_variable import mask_token
from airflow_provider_iginsights.task.column_arguments import check_columns, parse_salt_conn_id, parse_salt_variable

SHORTEST_SALT = 16
"""Characters. A shorter one could be guessed from the hash of a known text."""
_MAKE_ONE = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def read_protection(
    *,
    exclude_columns: object = None,
    hash_columns: object = None,
    hash_salt_conn_id: object = None,
    hash_salt_variable: object = None,
) -> ColumnProtection:
    """Return what these arguments of an operator keep out of the tables. The salt is asked for only where it is needed.

    :raises ConfigurationError: one of them, or the salt, cannot be.
    """
    excluded, hashed = check_columns(
        exclude_columns=exclude_columns,
        hash_columns=hash_columns,
        hash_salt_conn_id=hash_salt_conn_id,
        hash_salt_variable=hash_salt_variable,
    )
    hasher = None
    if hashed:
        hasher = read_hasher(
            conn_id=parse_salt_conn_id(hash_salt_conn_id), variable=parse_salt_variable(hash_salt_variable)
        )
    return ColumnProtection(excluded=excluded, hashed=hashed, hasher=hasher)


@without_frames
def read_hasher(*, conn_id: str | None, variable: str | None) -> TextHasher:
    """Return the hasher with the salt, which Airflow masks from now on. Blanks around it do not count.

    :raises ConfigurationError: there is no such connection or Variable, or it holds no salt, or a short one.
    """
    where = f"The connection {conn_id!r} (hash_salt_conn_id)" if conn_id else f"The Variable {variable!r}"
    salt = (_read_password(conn_id) if conn_id else read_variable(variable or "") or "").strip()
    if not salt:
        raise ConfigurationError(
            f"{where} holds no salt. Put it into {'its password' if conn_id else 'that Variable'}. {_MAKE_ONE}"
        )
    mask_token(salt)
    if len(salt) < SHORTEST_SALT:
        raise ConfigurationError(
            f"{where} holds a salt of fewer than {SHORTEST_SALT} characters, which could be guessed. {_MAKE_ONE}"
        )
    return TextHasher(salt)


def _read_password(conn_id: str) -> str:
    try:
        return BaseHook.get_connection(conn_id).password or ""
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Airflow knows no connection {conn_id!r} (hash_salt_conn_id). Create one of any type, such as generic, "
            "with the salt as its password."
        ) from error
