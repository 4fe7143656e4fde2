"""``/record/export``: records as a file, in pieces."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

import flask

from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.schemas import observed as schemas
from app.api.schemas.fields import take_times
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.formats.formats import MEDIA_TYPES, FileFormat, FileOptions, open_encoder
from app.formats.layout import FileLayout
from app.formats.ports import RowEncoder
from app.services.reading.exports import Export
from app.services.reading.ports import ExportFilters

_PIECE_BYTES: Final = 128 * 1024
"""So few that no piece is put into a file: a client that reads slowly slows the export, and nothing is piled up."""

_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


exports = Resource("record/export", description="Records as files", changes=Role.ADMIN)


@exports.serves("GET", query=schemas.RecordExport, answer=None, documented=schemas.EXPORTED)
def export_records(query: JsonObject) -> flask.Response:
    """Export the records of a resource as Parquet, CSV or JSON lines, with a column for each of their keys."""
    _require_pieces()
    options = FileOptions(format=_choose_format(query), keeps_formulas=query["keep_formulas"])
    export = services().reading.exports.open(environment(), _read_filters(query))
    encoder = open_encoder(FileLayout(columns=export.columns, with_data=query["with_data"]), options)
    return _answer(export, encoder, options, name=query["resource"])


def _require_pieces() -> None:
    """Raise InvalidInputError for a client whose protocol does not show whether an answer is whole."""
    if flask.request.environ.get("SERVER_PROTOCOL") in ("HTTP/0.9", "HTTP/1.0"):
        message = (
            "an export needs HTTP/1.1, which distinguishes a whole file from a part (nginx: proxy_http_version 1.1)"
        )
        raise InvalidInputError([Failure("", message)])


def _choose_format(query: JsonObject) -> FileFormat:
    if "format" in query:
        return FileFormat(query["format"])
    accepted = flask.request.accept_mimetypes
    known = {media_type: file_format for file_format, media_type in MEDIA_TYPES.items()}
    offered = [MEDIA_TYPES[FileFormat.JSONL], *known]
    best = accepted.best_match(offered) if accepted.provided else offered[0]
    if best is None and not accepted.accept_json:
        raise InvalidInputError([Failure("Accept", f"expected one of {', '.join(known)}")])
    return known[best or offered[0]]


def _read_filters(query: JsonObject) -> ExportFilters:
    return ExportFilters(
        resource=query["resource"],
        integration_name=query.get("integration_name"),
        integrated_account_id=query.get("integrated_account_id"),
        id=query.get("id"),
        sync_job_run_id=query.get("sync_job_run_id"),
        times=take_times(query, "synced_at", "updated_at", "created_at"),
        with_deleted=query["with_deleted"],
        after=query.get("after_seq"),
    )


def _answer(export: Export, encoder: RowEncoder, options: FileOptions, *, name: str) -> flask.Response:
    pieces = _cut(_encode(export, encoder))
    # The first piece is made at once: what can not be exported at all is answered by an error.
    response = flask.Response(chain([next(pieces, b"")], pieces), mimetype=MEDIA_TYPES[options.format])
    filename = f"{_ODD.sub('-', name)}{options.extension}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    if export.through is not None:
        response.headers["Ferryman-Through-Seq"] = export.through
    if export.gap_until is not None:
        response.headers["Ferryman-Gap-Until"] = export.gap_until
    return response


def _encode(export: Export, encoder: RowEncoder) -> Iterator[bytes]:
    for page in export.pages:
        yield encoder.encode(page)
    yield encoder.finish()


def _cut(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces that are neither empty nor large."""
    for part in parts:
        for start in range(0, len(part), _PIECE_BYTES):
            yield part[start : start + _PIECE_BYTES]
