"""Decide how many requests each process may have in flight to one account, and when it may send the next.

One budget per account is shared by all processes. A process reports what it saw and gets its part in exchange; nothing
here waits or asks for the time, so that whole fleets can be simulated. Times are seconds of one shared clock.

The window is TCP's: it doubles until the first sign of congestion, is halved at each (once per round trip), and grows
by one per round trip from there. The pace is learned when an upstream refuses: what it served until then, over the
time until it served again. It is cut a little at each later refusal, and tried out upwards when none has come for long.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.engine.limits import constants, pacing
from app.engine.limits.budget_state import Budget, BudgetLimits, Grant, Holder, Quota, Report, merge_quota, new_budget


def exchange(budget: Budget, report: Report, *, process: str, now: float, limits: BudgetLimits) -> tuple[Budget, Grant]:
    """Apply a process's report, and grant its part of the budget."""
    if budget.saved_at > now + constants.CLOCK_JUMP_SECONDS:
        budget = new_budget(limits)
    budget = _drop_expired(budget, report, process, now)
    budget = _learn(budget, report, now, limits)
    if report.quota is not None:
        budget = replace(budget, quota=merge_quota(budget.quota, report.quota))
    pace = _choose_pace(budget, limits)
    window = 1 if budget.is_probing else max(1, int(budget.window))
    slots = _compute_share(budget, report, process, window, now)
    others = {name: holder for name, holder in budget.holders.items() if name != process}
    sent = report.in_flight + sum(holder.in_flight for holder in others.values())
    budget, starts = _grant_starts(budget, report, slots, pace, sent=sent, now=now)
    in_flight = report.in_flight + len(starts or ())
    holders = dict(others)
    if report.wanted:
        held = max(slots, report.in_flight)
        holders[process] = Holder(
            slots=held, wanted=report.wanted, in_flight=in_flight, until=now + constants.LEASE_SECONDS
        )
    budget = replace(budget, holders=holders, saved_at=now)
    return budget, Grant(
        slots=slots,
        starts=starts,
        next_at=_find_next_start(budget, pace, now),
        not_before=budget.not_before,
        cut_at=budget.cut_at,
        window=window,
        pace=pace,
        part=window // len({*others, process}),
        is_opening=budget.cut_at == 0.0 and budget.window < limits.most,
    )


def _drop_expired(budget: Budget, report: Report, process: str, now: float) -> Budget:
    """Drop expired holds, a quota that is full again, and old counts."""
    holders = {
        name: holder
        for name, holder in budget.holders.items()
        if now < holder.until <= now + 2 * constants.LEASE_SECONDS
    }
    quota = budget.quota
    if quota is not None and quota.until <= now:
        # Full again; the next answer says until when, and without such an answer it has ended.
        quota = None if quota.size is None else Quota(left=quota.size, size=None, until=now + 1.0)
    budget = replace(
        budget, holders=holders, quota=quota, epoch_at=budget.epoch_at or now, opened_at=budget.opened_at or now
    )
    if budget.pace is None and report.was_idle and not budget.is_probing and not holders.keys() - {process}:
        # What comes now is a burst of its own: the pause before it says nothing of the limit.
        budget = replace(budget, epoch_at=now, served=0.0, opened_at=now, opened_served=0.0)
    budget = _forget_oldest(budget, now)
    elapsed = now - budget.epoch_at
    longest = constants.BURST_SECONDS if budget.pace is None else constants.EPOCH_SECONDS
    if elapsed <= longest or budget.is_probing:
        return budget
    kept = longest / 2
    refused = budget.refused if now - budget.cut_at < constants.REFUSALS_KEPT_SECONDS else 0
    return replace(budget, epoch_at=now - kept, served=budget.served * kept / elapsed, refused=refused)


def _forget_oldest(budget: Budget, now: float) -> Budget:
    """Keep of what was served since the account was reopened about as much as the longest limit counts."""
    elapsed, longest = now - budget.opened_at, constants.LONGEST_LEARNED_SECONDS
    if elapsed <= longest or budget.is_probing:
        return budget
    return replace(budget, opened_at=now - longest / 2, opened_served=budget.opened_served * longest / 2 / elapsed)


def _learn(budget: Budget, report: Report, now: float, limits: BudgetLimits) -> Budget:
    if report.trouble_sent_at <= budget.cut_at:
        # This process did not know of the last cut, which another one's report had brought about.
        late_refused = report.late_refused + report.refused
        report = replace(report, refused=0, late_refused=late_refused, is_slow=False)
    served_now = report.served + report.late_served
    budget = pacing.count_answers(replace(budget, opened_served=budget.opened_served + served_now), report)
    if budget.is_probing and report.served:
        budget = pacing.learn_pace(budget, now)
    if report.refused:
        served = budget.served + served_now
        refused = budget.refused + report.refused + report.late_refused
        return _apply_refusals(replace(budget, served=served, refused=refused), report, now)
    budget = replace(budget, served=budget.served + report.late_served, refused=budget.refused + report.late_refused)
    if report.is_slow:
        return _halve(budget, now)
    if not report.served:
        return budget
    return _grow(replace(budget, strikes=0, served=budget.served + report.served), report, now, limits)


def _apply_refusals(budget: Budget, report: Report, now: float) -> Budget:
    """Apply refusals: halve the window, wait, and prepare to learn a pace."""
    strikes = 0 if report.served else budget.strikes
    if not strikes:
        budget = replace(budget, closed_at=now)
    if budget.pace is None or strikes:
        budget = _halve(budget, now)
    # Else the pace was the fault, not how many requests were under way.
    budget = replace(budget, strikes=strikes + 1, cut_at=now)
    wait = report.wait_seconds or pacing.choose_wait(budget, report.default_wait_seconds, strikes)
    budget = replace(budget, not_before=max(budget.not_before, now + wait))
    if budget.pace is None or strikes:
        return replace(budget, is_probing=True)
    return pacing.slow_down(budget, now)


def _halve(budget: Budget, now: float) -> Budget:
    half = max(1.0, budget.window / 2)
    return replace(budget, window=half, threshold=half, cut_at=now)


def _grow(budget: Budget, report: Report, now: float, limits: BudgetLimits) -> Budget:
    window = budget.window
    if report.is_full:
        window += report.served if window < budget.threshold else report.served / window
    return pacing.try_more(replace(budget, window=min(float(limits.most), window)), report, now)


def _choose_pace(budget: Budget, limits: BudgetLimits) -> float | None:
    paces = [] if budget.pace is None else [budget.pace]
    if limits.pace is not None:
        paces.append(limits.pace * constants.PACE_MARGIN)
    return min(paces, default=None)


def _compute_share(budget: Budget, report: Report, process: str, window: int, now: float) -> int:
    """Return a process's fair part, as far as the others have released what they held beyond theirs."""
    others = {name: holder for name, holder in budget.holders.items() if name != process}
    wanted = {name: holder.wanted for name, holder in others.items()} | {process: report.wanted}
    held = sum(holder.slots for holder in others.values())
    return max(0, min(_split_window(wanted, window, now)[process], window - held))


def _split_window(wanted: Mapping[str, int], window: int, now: float) -> dict[str, int]:
    """Split a window: no process gets more than it wants, and the rest goes to those that want most.

    When there are fewer places than processes, the places go round, a second each.
    """
    names = sorted(wanted)
    if window < len(names):
        turn = int(now)
        return {name: min(wanted[name], int((place + turn) % len(names) < window)) for place, name in enumerate(names)}
    parts: dict[str, int] = {}
    for name in sorted(names, key=lambda name: wanted[name]):
        parts[name] = min(wanted[name], (window - sum(parts.values())) // (len(names) - len(parts)))
    return parts


def _grant_starts(
    budget: Budget, report: Report, slots: int, pace: float | None, *, sent: int, now: float
) -> tuple[Budget, tuple[float, ...] | None]:
    if pace is None and budget.quota is None:
        return budget, None
    count = max(0, min(report.wanted, slots) - report.in_flight)
    if budget.quota is not None:
        # The upstream may not have counted requests in flight yet.
        count = max(0, min(count, budget.quota.left - sent))
    at = max(budget.next_at, now, budget.not_before)
    starts: list[float] = []
    while len(starts) < count and at <= now + constants.START_AHEAD_SECONDS:
        starts.append(at)
        at += 0.0 if pace is None else 1.0 / pace
    return replace(budget, next_at=at) if starts and pace is not None else budget, tuple(starts)


def _find_next_start(budget: Budget, pace: float | None, now: float) -> float:
    moments = [now, budget.not_before]
    if pace is not None:
        moments.append(budget.next_at)
    if budget.quota is not None and budget.quota.left <= 0:
        moments.append(budget.quota.until)
    return max(moments)
