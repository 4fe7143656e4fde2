"""What object stores refuse, in words for the owner of a destination, and whether another attempt would fail too."""

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from app.engine.errors import DestinationError


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fault means."""

    code: str
    words: str
    is_final: bool = False


DENIED: Final = Meaning("wrong_credentials", "the store refuses the credentials, or they lack a right", True)
NO_BUCKET: Final = Meaning("no_bucket", "there is no such bucket or container", True)
AWAY: Final = Meaning("target_away", "the store can not be reached")
SLOW: Final = Meaning("target_slow", "the store took too long")
BUSY: Final = Meaning("target_busy", "the store takes no more requests at the moment")
NO_TLS: Final = Meaning("no_tls", "no verified TLS connection could be made", True)
FULL: Final = Meaning("disk_full", "the disk is full")
NOT_ALLOWED: Final = Meaning("missing_rights", "the daemon may not write there", True)
READ_ONLY: Final = Meaning("read_only", "the disk is read-only")
FAILS: Final = Meaning("target_fails", "the store fails")
REFUSES: Final = Meaning("target_refuses", "the store refuses a request")

_OF_SYSTEM: Final[Mapping[int, Meaning]] = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: READ_ONLY,
    errno.ENOTDIR: Meaning("no_folder", "a part of the path is a file", True),
    errno.EEXIST: Meaning("no_folder", "a part of the path is a file", True),
    errno.ENAMETOOLONG: Meaning("name_too_long", "a name is longer than the disk takes", True),
    errno.EIO: Meaning("broken_disk", "the disk can not be read or written"),
}
# What a text says of the request beside the fault: its address, and how often it was tried.
_ASIDE: Final = re.compile(r"https?://\S+|\w*retries: \d+|retry_timeout: \S+")
# An answer of 200 whose body is an error, as S3 gives one after it has begun to answer.
_ODD_ANSWERS: Final = (
    "InternalError|Missing(Etag|LastModified)|Invalid(Multipart|List|BulkDelete)Response|Server returned error response"
)
# In the texts of obstore, which has no codes: the first that is found.
_IN_TEXT: Final[Sequence[tuple[re.Pattern[str], Meaning]]] = (
    (re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE), NO_BUCKET),
    (re.compile(r"InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed|\b40[13]\b", re.IGNORECASE), DENIED),
    (re.compile(r"certificate|tls|https_only|URL scheme is not allowed", re.IGNORECASE), NO_TLS),
    (re.compile(r"timed out|timeout", re.IGNORECASE), SLOW),
    (re.compile(r"\b(429|503)\b|SlowDown|ServerBusy", re.IGNORECASE), BUSY),
    (re.compile(r"No space left|Disk quota|StorageFull|\b507\b", re.IGNORECASE), FULL),
    (re.compile(rf"\b5[0-9][0-9]\b|{_ODD_ANSWERS}", re.IGNORECASE), FAILS),
    (re.compile(r"connect|dns|connection|error sending request", re.IGNORECASE), AWAY),
)


@contextmanager
def explain_system_faults(place: str) -> Iterator[None]:
    """Raise DestinationError for what the operating system refuses at a place."""
    try:
        yield
    except OSError as error:
        meaning = _OF_SYSTEM.get(error.errno or 0, REFUSES)
        raise build_error(meaning, f"{place}: {error.strerror or type(error).__name__}") from error


def find_in_text(text: str) -> Meaning:
    """Return what the text of a fault means."""
    told = _ASIDE.sub("", text)
    return next((meaning for pattern, meaning in _IN_TEXT if pattern.search(told)), REFUSES)


def build_error(meaning: Meaning, details: str = "") -> DestinationError:
    """Return the error of a fault; its details hold no secret."""
    message = f"{meaning.words} ({details})" if details else meaning.words
    return DestinationError(message, code=meaning.code, is_final=meaning.is_final)
