"""What became of the records of runs that wait for their destinations, each entry counted once."""

from collections import Counter
from collections.abc import Collection, Mapping

from app.services.destinations.ports import LogRange, Quarantined, Written
from app.services.destinations.work import RunBooks


def count_by_run(
    runs: Mapping[int, str],
    counted_through: Mapping[str, int],
    log_range: LogRange,
    written: Written,
    quarantined: Collection[Quarantined],
) -> list[RunBooks]:
    """Count the entries of each run by what became of them; those that were counted before are left out."""
    outcomes = _list_outcomes(log_range, written, quarantined) if runs else {}
    counts: dict[str, Counter[str]] = {}
    through: dict[str, int] = {}
    for sequence, run_id in runs.items():
        if sequence > counted_through[run_id]:
            counts.setdefault(run_id, Counter())[outcomes.get(sequence, "filtered")] += 1
            through[run_id] = max(sequence, through.get(run_id, 0))
    return [
        RunBooks(
            run_id=run_id,
            through=through[run_id],
            written=found["written"],
            unchanged=found["unchanged"],
            quarantined=found["quarantined"],
            filtered=found["filtered"],
        )
        for run_id, found in counts.items()
    ]


def _list_outcomes(log_range: LogRange, written: Written, quarantined: Collection[Quarantined]) -> dict[int, str]:
    present = {record.sequence for batch in log_range.batches for record in batch.records}
    changed = present if written.sequences is None else written.sequences
    found = {sequence: "written" if sequence in changed else "unchanged" for sequence in present}
    return found | dict.fromkeys((one.sequence for one in quarantined), "quarantined")
