"""Remove entries of accounts' logs, so that its readers learn that what stood up to a number may be missing."""

from typing import Final

TRIM: Final = """
    trimmed as (
        insert into account_log (integrated_account_id, trimmed_through)
        select integrated_account_id, max(sequence) from old where sequence is not null
         group by integrated_account_id order by integrated_account_id
            on conflict (integrated_account_id) do update
           set trimmed_through = greatest(account_log.trimmed_through, excluded.trimmed_through)
     returning integrated_account_id)
"""
"""Notes how far ``old (integrated_account_id, sequence)`` reaches, a row for each entry that is removed."""
AFTER_TRIM: Final = "(select count(*) from trimmed) >= 0"
"""Joined by what changes rows, so that an account's log is locked before them."""
