"""Build what reads records for the API: page by page, and as files."""

from app.bootstrap.shared import Shared
from app.services.reading.exports import ExportService
from app.services.reading.records import RecordService
from app.store.maintenance.erasures import ErasureStore
from app.store.reading.account_log import LogReader
from app.store.reading.exports import ExportReader
from app.store.reading.records import RecordReader
from app.store.records.tombstones import TombstoneStore
from app.store.schemas.schemas import SchemaStore


def build_record_service(shared: Shared) -> RecordService:
    """Build what lists records and reads logs."""
    return RecordService(
        list_records=RecordReader(shared.engine).list,
        read_log=LogReader(shared.engine).read,
        restore_records=TombstoneStore(shared.engine).restore,
        accounts=shared.accounts,
        erasures=ErasureStore(shared.engine),
    )


def build_export_service(shared: Shared) -> ExportService:
    """Build what exports records."""
    return ExportService(ExportReader(shared.engine), SchemaStore(shared.engine).read, shared.accounts, shared.clock)
