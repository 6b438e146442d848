"""Files on their way in: multipart uploads in one request, and resumable uploads whose chunks are spooled to disk."""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import ClientDisconnect

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource

__all__ = ["Upload", "Uploads", "split_multipart"]

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(slots=True)
class Upload:
    """A resumable upload: the job it is for, the bytes that arrived, and the answer once it is complete."""

    job: Resource
    fault: BigQueryFault | None
    path: Path
    size: int = 0
    answer: Resource | None = None

    @property
    def range(self) -> dict[str, str]:
        """The Range header that tells the client where to go on."""
        return {"Range": f"bytes=0-{self.size - 1}"} if self.size else {}


class Uploads:
    """The uploads of a sandbox, in a folder of temporary files that ends with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bigquery-sandbox-")
        self._uploads: dict[str, Upload] = {}

    def close(self) -> None:
        """Delete the files."""
        self._folder.cleanup()

    def new_path(self) -> Path:
        """Return a path for a file of its own."""
        return Path(self._folder.name) / uuid.uuid4().hex

    def begin(self, job: Resource, fault: BigQueryFault | None) -> str:
        """Begin a resumable upload; returns its id."""
        upload_id = uuid.uuid4().hex
        self._uploads[upload_id] = Upload(job, fault, self.new_path())
        self._uploads[upload_id].path.touch()
        return upload_id

    def get(self, upload_id: str) -> Upload:
        """Return the upload. Raises BigQueryError (404)."""
        if upload_id not in self._uploads:
            raise not_found("Upload", upload_id)
        return self._uploads[upload_id]

    async def receive(self, upload: Upload, content_range: str, chunks: AsyncIterator[bytes]) -> bool:
        """Take in one chunk; returns whether the file is complete. Bytes that arrived before a cut are kept."""
        match = _RANGE.fullmatch(content_range)
        if match is None:
            raise BigQueryError("invalid", f'Invalid Content-Range header "{content_range}".')
        start, total = int(match[1] or upload.size), match[3]
        if start > upload.size:
            raise BigQueryError("invalid", f"The chunk starts at {start}, but only {upload.size} bytes have arrived.")
        if match[1]:
            with upload.path.open("r+b") as file:
                file.seek(start)
                file.truncate()
                try:
                    async for chunk in chunks:
                        file.write(chunk)
                except ClientDisconnect:
                    total = "*"
                upload.size = file.tell()
        return total != "*" and upload.size >= int(total)


def split_multipart(content_type: str, body: bytes) -> tuple[Resource, bytes]:
    """Return the job resource and the file of a ``multipart/related`` body. Raises BigQueryError (400)."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise BigQueryError("invalid", "A multipart upload needs a boundary in its Content-Type.")
    separator = b"--" + boundary[1].encode()
    _, _, first = body.partition(separator)
    head, _, rest = first.partition(b"\r\n" + separator)
    resource: Resource = json.loads(head.partition(b"\r\n\r\n")[2])
    content = rest.partition(b"\r\n\r\n")[2]
    return resource, content[: content.rindex(b"\r\n" + separator)]
