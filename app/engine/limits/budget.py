"""Decide how many requests each process may have in flight to one account, and when it may send the next.

One budget per account is shared by all processes. A process reports what it saw and gets its part in exchange; nothing
here waits or asks for the time, so that whole fleets can be simulated. Times are seconds of one shared clock.

The window is TCP's: it doubles until the first sign of congestion, is halved at each (once per round trip), and grows
by one per round trip from there. The pace is learned when an upstream refuses: what it served until then, over the
time until it served again. It is cut a little at each later refusal, and tried out upwards when none has come for long.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from app.engine.limits import constants, retry
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
    budget = replace(budget, holders=holders, quota=quota, epoch_at=budget.epoch_at or now)
    if budget.pace is None and report.was_idle and not budget.is_probing and not holders.keys() - {process}:
        # What comes now is a burst of its own: the pause before it says nothing of the limit.
        budget = replace(budget, epoch_at=now, served=0.0)
    elapsed = now - budget.epoch_at
    longest = constants.BURST_SECONDS if budget.pace is None else constants.EPOCH_SECONDS
    if elapsed <= longest or budget.is_probing:
        return budget
    kept = longest / 2
    refused = budget.refused if now - budget.cut_at < constants.REFUSALS_KEPT_SECONDS else 0
    return replace(budget, epoch_at=now - kept, served=budget.served * kept / elapsed, refused=refused)


def _learn(budget: Budget, report: Report, now: float, limits: BudgetLimits) -> Budget:
    if report.trouble_sent_at <= budget.cut_at:
        # This process did not know of the last cut, which another one's report had brought about.
        late_refused = report.late_refused + report.refused
        report = replace(report, refused=0, late_refused=late_refused, is_slow=False)
    budget = _count_answers(budget, report)
    if budget.is_probing and report.served:
        budget = _learn_pace(budget, now)
    if report.refused:
        served = budget.served + report.served + report.late_served
        refused = budget.refused + report.refused + report.late_refused
        return _apply_refusals(replace(budget, served=served, refused=refused), report, now)
    budget = replace(budget, served=budget.served + report.late_served, refused=budget.refused + report.late_refused)
    if report.is_slow:
        return _halve(budget, now)
    if not report.served:
        return budget
    return _grow(replace(budget, strikes=0, served=budget.served + report.served), report, now, limits)


def _count_answers(budget: Budget, report: Report) -> Budget:
    served = budget.recent_served + report.served + report.late_served
    refused = budget.recent_refused + report.refused + report.late_refused
    kept = min(1.0, constants.RECENT_ANSWERS / max(1.0, served + refused))
    return replace(budget, recent_served=served * kept, recent_refused=refused * kept)


def _apply_refusals(budget: Budget, report: Report, now: float) -> Budget:
    """Apply refusals: halve the window, wait, and prepare to learn a pace."""
    strikes = 0 if report.served else budget.strikes
    budget = replace(_halve(budget, now), strikes=strikes + 1)
    wait = report.wait_seconds or _choose_wait(report.default_wait_seconds, budget.pace, strikes)
    budget = replace(budget, not_before=max(budget.not_before, now + wait))
    if budget.pace is None or strikes:
        return replace(budget, is_probing=True)
    return _slow_down(budget, now)


def _choose_wait(default: float | None, pace: float | None, strikes: int) -> float:
    """Choose the wait where the upstream names none: one beat of a known pace, else longer each time."""
    if default is not None:
        return retry.compute_backoff(strikes + 1, default, max(default, constants.LONGEST_DEFAULT_WAIT_SECONDS))
    if pace is not None and strikes == 0:
        return min(1.0 / pace, constants.FIRST_WAIT_SECONDS)
    return retry.compute_backoff(strikes + 1, constants.FIRST_WAIT_SECONDS, constants.LONGEST_UNNAMED_WAIT_SECONDS)


def _halve(budget: Budget, now: float) -> Budget:
    half = max(1.0, budget.window / 2)
    return replace(budget, window=half, threshold=half, cut_at=now)


def _slow_down(budget: Budget, now: float) -> Budget:
    """Cut a known pace to what was served of it, within bounds."""
    assert budget.pace is not None
    if _is_unexplained(budget):
        # A slower pace would be refused as often.
        return replace(budget, hold=constants.HOLD_SECONDS, grow_at=now, refused=0)
    elapsed = now - budget.epoch_at
    is_measured = elapsed >= constants.MEASURED_SECONDS
    seen = budget.served / elapsed if is_measured else budget.pace
    deepest = constants.DEEPEST_FIRST_CUT if now >= budget.grow_at else constants.DEEPEST_CUT
    pace = max(constants.SLOWEST_PACE, min(max(seen, budget.pace * deepest), budget.pace * constants.CUT))
    is_known = budget.limit_pace is not None and budget.pace >= 0.8 * budget.limit_pace
    hold = min(budget.hold * 2, constants.LONGEST_HOLD_SECONDS) if is_known else constants.HOLD_SECONDS
    slowed = replace(
        budget,
        pace=pace,
        limit_pace=budget.pace,
        evidence=constants.EVIDENCE_ENOUGH,
        hold=hold,
        grow_at=now + hold,
        refused=0,
    )
    # Else it goes on: refusals in quick succession would never see what is served.
    return replace(slowed, epoch_at=now, served=0.0) if is_measured else slowed


def _learn_pace(budget: Budget, now: float) -> Budget:
    """Learn from the end of a refusal: what was served since the epoch began, over the time until this answer."""
    elapsed = max(1.0, budget.not_before - budget.epoch_at)
    budget = replace(budget, is_probing=False)
    if _is_unexplained(budget):
        return replace(budget, epoch_at=now, served=0.0, refused=0)
    if budget.quota is not None or budget.refused < constants.REFUSALS_TO_LEARN or budget.served < 1:
        return budget
    if elapsed > constants.LONGEST_LEARNED_SECONDS:
        return replace(budget, pace=None, epoch_at=now, served=0.0, refused=0)
    pace = max(constants.SLOWEST_PACE, budget.served / elapsed)
    return replace(
        budget,
        pace=pace,
        limit_pace=pace,
        learned_pace=pace,
        recent_served=0.0,
        recent_refused=0.0,
        next_at=now + 1.0 / pace,
        evidence=budget.served,
        hold=constants.HOLD_SECONDS / 2,
        grow_at=now + constants.FIRST_HOLD_SECONDS * min(1.0, budget.served / constants.EVIDENCE_ENOUGH),
        epoch_at=now,
        served=0.0,
        refused=0,
    )


def _is_unexplained(budget: Budget) -> bool:
    """Whether refusals are not those of a limit: a few requests are refused at whatever pace."""
    answers = budget.recent_served + budget.recent_refused
    is_rare = budget.recent_refused <= constants.UNEXPLAINED_SHARE * answers
    return is_rare and answers >= constants.ANSWERS_TO_JUDGE and _is_far_below(budget)


def _is_far_below(budget: Budget) -> bool:
    """Whether the pace is far below what was served when it was measured."""
    pace, learned = budget.pace, budget.learned_pace
    return pace is not None and learned is not None and pace < constants.FAR_BELOW * learned


def _grow(budget: Budget, report: Report, now: float, limits: BudgetLimits) -> Budget:
    window = budget.window
    if report.is_full:
        window += report.served if window < budget.threshold else report.served / window
    budget = replace(budget, window=min(float(limits.most), window))
    # A process that sends one by one never wants more than its grant: that it had to wait shows more demand.
    is_held_back = report.is_full or report.wanted > report.in_flight
    if budget.pace is None or now <= budget.grow_at or not is_held_back:
        return budget
    # By the time that has passed, up to one beat: served requests are as rare as the pace is slow.
    seconds = min(now - budget.grow_at, max(1.0, 1.0 / budget.pace))
    pace = budget.pace * _compute_growth(budget, report) ** seconds
    if budget.limit_pace is not None and pace > constants.FORGOTTEN_AT * budget.limit_pace:
        return replace(budget, pace=None, limit_pace=None)
    return replace(budget, pace=pace, grow_at=now)


def _compute_growth(budget: Budget, report: Report) -> float:
    """Try more sooner, the less was served when the pace was learned: a lone request doubles it each second.

    So does an upstream that says that there is room.
    """
    doubling_seconds = 1.0 if report.has_room else max(1.0, budget.evidence) ** 2
    return max(constants.GROWTH_PER_SECOND, math.exp2(1.0 / doubling_seconds))


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
