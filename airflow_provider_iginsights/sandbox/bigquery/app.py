"""The HTTP side: the routes of the BigQuery REST API that google-cloud-bigquery calls to load, query and read tables.

Every other route is answered with 501 and says so.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_iginsights.sandbox.bigquery.api_jobs import JobsApi
from airflow_provider_iginsights.sandbox.bigquery.api_routines import RoutinesApi
from airflow_provider_iginsights.sandbox.bigquery.api_tables import JsonAnswer, TableCall, TablesApi
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported, translate
from airflow_provider_iginsights.sandbox.bigquery.job import RESULTS
from airflow_provider_iginsights.sandbox.bigquery.jobs import JobRegistry
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.uploads import Uploads, split_multipart

__all__ = ["build_app"]

logger: logging.Logger = logging.getLogger(__name__)

Handler = Callable[[TableCall], JsonAnswer | Awaitable[JsonAnswer]]
Endpoint = Callable[[Request], Awaitable[Response]]

_BASE = "/bigquery/v2/projects/{project}"
_UPLOAD = f"/upload{_BASE}/jobs"


def build_app(storage: Storage, jobs: JobRegistry, uploads: Uploads) -> Starlette:
    """Return the ASGI application over the sandbox's parts."""
    tables, queries, functions = TablesApi(storage, uploads), JobsApi(storage, jobs), RoutinesApi(storage)
    dataset, table = f"{_BASE}/datasets/{{dataset}}", f"{_BASE}/datasets/{{dataset}}/tables/{{table}}"
    routes: list[tuple[str, str, Handler]] = [
        ("GET", f"{_BASE}/datasets", tables.list_datasets),
        ("POST", f"{_BASE}/datasets", tables.insert_dataset),
        ("GET", dataset, tables.get_dataset),
        ("DELETE", dataset, tables.delete_dataset),
        ("GET", f"{dataset}/tables", tables.list_tables),
        ("POST", f"{dataset}/tables", tables.insert_table),
        ("GET", f"{_BASE}/datasets/{RESULTS}/tables/{{table}}", queries.get_results_table),
        ("GET", table, tables.get_table),
        ("PATCH", table, tables.patch_table),
        ("DELETE", table, tables.delete_table),
        ("GET", f"{table}/data", tables.list_rows),
        ("POST", f"{table}/insertAll", tables.insert_rows),
        ("GET", f"{dataset}/routines", functions.list),
        ("POST", f"{dataset}/routines", functions.insert),
        ("GET", f"{dataset}/routines/{{routine}}", functions.get),
        ("PUT", f"{dataset}/routines/{{routine}}", functions.update),
        ("DELETE", f"{dataset}/routines/{{routine}}", functions.delete),
        ("POST", f"{_BASE}/jobs", queries.insert),
        ("GET", f"{_BASE}/jobs", queries.list),
        ("GET", f"{_BASE}/jobs/{{job}}", queries.get),
        ("POST", f"{_BASE}/jobs/{{job}}/cancel", queries.cancel),
        ("POST", f"{_BASE}/queries", queries.query),
        ("GET", f"{_BASE}/queries/{{job}}", queries.results),
    ]
    served = [Route(path, _guarded(partial(_call, handler)), methods=[method]) for method, path, handler in routes]
    served += [
        Route(_UPLOAD, _guarded(partial(_begin_upload, jobs, uploads)), methods=["POST"]),
        Route(_UPLOAD, _guarded(partial(_continue_upload, jobs, uploads)), methods=["PUT"]),
        Route("/{rest:path}", _guarded(_refuse), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    return Starlette(routes=served)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint, with its errors said as BigQuery says them."""

    async def guard(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BigQueryError as error:
            return JSONResponse(error.body(), error.status)
        except duckdb.Error as error:
            # The table was replaced or dropped between two steps of the call; asked again, it answers as it now is.
            again = BigQueryError("backendError", translate(error).message)
            return JSONResponse(again.body(), again.status)
        except (KeyError, ValueError) as error:
            malformed = BigQueryError("invalid", f"Invalid request: {type(error).__name__} {error}")
            return JSONResponse(malformed.body(), malformed.status)
        except Exception as error:
            # A 500 would make clients try again for minutes; what the sandbox did not foresee is not worth that.
            logger.exception("The BigQuery sandbox failed on %s %s.", request.method, request.url.path)
            unforeseen = not_supported(f"This request ({error!r})", reason="notImplemented")
            return JSONResponse(unforeseen.body(), unforeseen.status)

    return guard


async def _call(handler: Handler, request: Request) -> Response:
    body = await request.body()
    call = TableCall(
        request.path_params,
        dict(request.query_params),
        json.loads(body) if body else {},
        request.headers.get("if-match"),
        request.state.fault,
    )
    answer = handler(call) if inspect.iscoroutinefunction(handler) else await run_in_threadpool(handler, call)
    return _respond(await answer if isinstance(answer, Awaitable) else answer)


def _respond(answer: JsonAnswer) -> Response:
    if answer.resource is None:
        return Response(status_code=204)
    text = json.dumps(answer.resource)
    if answer.page is not None:
        text = f'{text[:-1]}, "rows": [{",".join(answer.page.rows)}]}}'
    return Response(text, media_type="application/json")


async def _begin_upload(jobs: JobRegistry, uploads: Uploads, request: Request) -> Response:
    """Take a whole multipart upload, or begin a resumable one."""
    body = await request.body()
    # Google's client sends up to 5 MB as one multipart request, and larger files in chunks ("Upload data with the
    # API").
    if request.query_params.get("uploadType") == "resumable":
        upload_id = uploads.begin(json.loads(body), request.state.fault)
        address = request.url.include_query_params(upload_id=upload_id)
        return Response(status_code=200, headers={"Location": str(address)})
    resource, content = split_multipart(request.headers.get("content-type", ""), body)
    path = uploads.new_path()
    await run_in_threadpool(path.write_bytes, content)
    insert = partial(jobs.insert, request.path_params["project"], resource, upload=path, fault=request.state.fault)
    job = await run_in_threadpool(insert)
    return JSONResponse(job.resource)


async def _continue_upload(jobs: JobRegistry, uploads: Uploads, request: Request) -> Response:
    """Take a chunk of a resumable upload; the last one makes the job."""
    upload = uploads.get(request.query_params["upload_id"])
    if upload.answer is None:
        complete = await uploads.receive(upload, request.headers.get("content-range", ""), request.stream())
        if not complete:
            # 308: more chunks are awaited; Range says how far the file has come ("API uploads",
            # resumable).
            return Response(status_code=308, headers=upload.range)
        fault = request.state.fault or upload.fault
        insert = partial(jobs.insert, request.path_params["project"], upload.job, upload=upload.path, fault=fault)
        # Kept: a last chunk whose answer was lost is sent again, and must not make a second job.
        upload.answer = (await run_in_threadpool(insert)).resource
    return JSONResponse(upload.answer)


async def _refuse(request: Request) -> Response:
    raise not_supported(f"{request.method} {request.url.path}", reason="notImplemented")
