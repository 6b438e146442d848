"""The Connection form for Airflow 2.11 to 3.1, which ask the hook for it: made from the same data as the new form."""

from __future__ import annotations

from typing import Any

from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS, CONNECTION_FORM


def make_widgets() -> dict[str, Any]:
    """Return a WTForms field per extra field of the connection.

    :raises ImportError: wtforms or flask_appbuilder is not installed; Airflow expects that and shows no extra fields.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import IntegerField, PasswordField, StringField
    from wtforms.validators import Optional

    kinds = {
        "text": (StringField, BS3TextFieldWidget),
        "integer": (IntegerField, BS3TextFieldWidget),
        "password": (PasswordField, BS3PasswordFieldWidget),
    }
    widgets = {}
    for name, field in CONN_FIELDS.items():
        make_field, widget = kinds[_kind(field["schema"])]
        widgets[name] = make_field(
            lazy_gettext(field["label"]), validators=[Optional()], description=field["description"], widget=widget()
        )
    return widgets


def make_field_behaviour() -> dict[str, Any]:
    """Return hidden fields, labels and placeholders under the names that the hook methods used."""
    return {key.replace("-", "_"): value for key, value in CONNECTION_FORM["ui-field-behaviour"].items()}


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("format") == "password":
        return "password"
    return "integer" if "integer" in schema["type"] else "text"
