"""Named refusals: what BigQuery says to a statement that writes, where somebody has forgotten a right or a payment."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault, Effect

__all__ = ["REFUSALS"]


def _refuse(effect: Effect) -> BigQueryFault:
    return BigQueryFault(route="POST /bigquery/.*/jobs$", body="MERGE|INSERT", effect=effect, times=None)


REFUSALS: Mapping[str, BigQueryFault] = {
    "billing_not_enabled": _refuse("billingNotEnabled"),
    "kms_denied": _refuse("kmsDenied"),
    "kms_key_required": _refuse("kmsKeyRequired"),
    "policy_tag_denied": _refuse("policyTagDenied"),
    "table_denied": _refuse("tableDenied"),
    "vpc_service_controls": _refuse("vpcServiceControls"),
}
