"""The names of objects: they follow from what an object holds, so that a repeat puts the same one again."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from app.engine.destinations.file_options import Folder
from app.engine.objects.destinations import Layout

OWN_FOLDER: Final = "_ferryman"
"""Begins with an underscore: readers of folders pass over such names."""
OWNER: Final = f"{OWN_FOLDER}/destination.json"
PROBE: Final = f"{OWN_FOLDER}/probe"
_LONGEST_PART: Final = 200
"""Most file systems take 255 bytes, and object stores 1,024 of a whole name."""
_KEPT: Final = 150
_TORN: Final = re.compile(r"%[0-9A-F]?\Z")
_DIGITS: Final = 20
_STEM: Final = re.compile(
    r"(?P<account>.+)-(?P<epoch>\d+)-(?P<first>\d{20})-(?P<last>\d{20})(?:-(?P<listing>[0-9a-f]{16}))?(?P<merged>-c)?"
)


def quote_part(text: str) -> str:
    """Return any text as one part of a path, as Hive writes values: readers turn ``%2F`` back into a slash.

    One that is longer than folders' names may be ends in a hash instead of its end.
    """
    quoted = quote(text, safe="").replace("~", "%7E") if text.strip(".") else text.replace(".", "%2E") or "%00"
    if len(quoted) <= _LONGEST_PART:
        return quoted
    # Not within the three characters of a quoted byte.
    return f"{_TORN.sub('', quoted[:_KEPT])}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRange:
    """Which part of which account's log a file holds."""

    account_id: str
    epoch: int
    first_sequence: int
    last_sequence: int
    listing: str = ""
    """Tells ranges apart of records that a full listing found absent, by 16 digits."""
    is_compacted: bool = False

    @property
    def stem(self) -> str:
        """The name of its files, without folders and what they end in; in the order of the log."""
        numbers = f"{self.first_sequence:0{_DIGITS}}-{self.last_sequence:0{_DIGITS}}"
        listing = f"-{self.listing}" if self.listing else ""
        return f"{self.account_id}-{self.epoch}-{numbers}{listing}{'-c' if self.is_compacted else ''}"


def parse_stem(stem: str) -> FileRange | None:
    """Read the name of a file; None for what Ferryman has not named."""
    parts = _STEM.fullmatch(stem)
    if parts is None:
        return None
    return FileRange(
        account_id=parts["account"],
        epoch=int(parts["epoch"]),
        first_sequence=int(parts["first"]),
        last_sequence=int(parts["last"]),
        listing=parts["listing"] or "",
        is_compacted=bool(parts["merged"]),
    )


def shorten_listing(listing: str) -> str:
    """Return what distinguishes a listing in the names of files; empty for none."""
    return hashlib.sha256(listing.encode()).hexdigest()[:16] if listing else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """Where the files of one table of an account's tenant are."""

    integration_name: str
    resource: str
    tenant_id: str
    layout: Layout
    folders: Sequence[str]

    @property
    def table(self) -> str:
        """The folder of the table."""
        table = f"{quote_part(self.integration_name)}/{quote_part(self.resource)}"
        return f"tenant_id={quote_part(self.tenant_id)}/{table}" if self.layout is Layout.TENANT else table

    def name_file(self, stem: str, day: date, extension: str) -> str:
        """Return the name of a file of the table."""
        parts = [self.table]
        for folder in self.folders:
            if folder == Folder.DATE:
                parts.append(f"date={day.isoformat()}")
            elif self.layout is not Layout.TENANT:
                parts.append(f"tenant_id={quote_part(self.tenant_id)}")
        return "/".join([*parts, f"{stem}{extension}"])


def name_account(account_id: str) -> str:
    """Return the object that says how far an account is written."""
    return f"{OWN_FOLDER}/accounts/{account_id}.json"
