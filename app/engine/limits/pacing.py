"""The pace of an account: how many requests per second its upstream serves, as its refusals show.

It is learned when a refusal ends: what was served, over the time until it was served again. Once known it is cut a
little at each refusal, kept for a while, and then tried out upwards: slowly where the limit was found last, faster the
further it gets. Everything is slower for a limit over a longer time, which shows only when its time is over.
"""

import math
from dataclasses import replace

from app.engine.limits import constants, retry
from app.engine.limits.budget_state import Answers, Budget, Report


def choose_wait(budget: Budget, default: float | None, strikes: int) -> float:
    """Choose the wait where the upstream names none: one beat of a known pace, else longer each time."""
    if default is not None:
        return retry.compute_backoff(strikes + 1, default, max(default, constants.LONGEST_DEFAULT_WAIT_SECONDS))
    first, longest = constants.FIRST_WAIT_SECONDS, constants.LONGEST_UNNAMED_WAIT_SECONDS
    if budget.pace is None:
        return retry.compute_backoff(strikes + 1, first, longest)
    if strikes == 0:
        return min(1.0 / budget.pace, first)
    if strikes < constants.SHORT_WAITS:
        # About how long the limit counts is known: a wait that is doubled may miss its end by as much again.
        longest = max(first, budget.period / constants.WAITS_PER_PERIOD)
    return retry.compute_backoff(strikes, max(first / 2, min(1.0 / budget.pace, first)), longest)


def slow_down(budget: Budget, now: float) -> Budget:
    """Cut a known pace to what was served of it, within bounds."""
    assert budget.pace is not None
    if _is_unexplained(budget):
        # A slower pace would be refused as often.
        return replace(budget, hold=constants.HOLD_SECONDS, grow_at=now, refused=0)
    elapsed = now - budget.epoch_at
    is_measured = elapsed >= max(constants.MEASURED_SECONDS, budget.period / constants.WAITS_PER_PERIOD)
    seen = budget.served / elapsed if is_measured else budget.pace
    deepest = constants.DEEPEST_CUT
    if now >= budget.grow_at:
        # It has grown by little since it was still served.
        deepest = math.pow(_compute_growth(budget), -constants.SECONDS_TO_SEE * _scale(budget))
    pace = max(constants.SLOWEST_PACE, min(max(seen, budget.pace * deepest), budget.pace * constants.CUT))
    # Found again by a trial: refusals soon after a cut only say that it was too small.
    is_known = now >= budget.grow_at and budget.limit_pace is not None and budget.pace >= 0.8 * budget.limit_pace
    hold = min(budget.hold * 2, constants.LONGEST_HOLD_SECONDS) if is_known else constants.HOLD_SECONDS
    hold = max(hold, constants.HOLD_PERIODS * budget.period)
    slowed = replace(
        budget,
        pace=pace,
        limit_pace=budget.pace,
        judged_pace=max(budget.pace, budget.judged_pace or 0.0),
        evidence=constants.EVIDENCE_ENOUGH,
        hold=hold,
        grow_at=now + hold,
        refused=0,
    )
    # Else it goes on: refusals in quick succession would never see what is served.
    return replace(slowed, epoch_at=now, served=0.0) if is_measured else slowed


def learn_pace(budget: Budget, now: float) -> Budget:
    """Learn from the end of a refusal: what was served before it, over the time until this answer."""
    reopened = replace(budget, is_probing=False, opened_at=now, opened_served=0.0)
    if _is_unexplained(budget):
        return replace(reopened, epoch_at=now, served=0.0, refused=0)
    closed, cycle = now - budget.closed_at, max(1.0, budget.not_before - budget.opened_at)
    # Of a limit that was used up all the time: else it only says how little was asked for.
    in_cycle = budget.opened_served / cycle if closed >= constants.CLOSED_SHARE * cycle else 0.0
    if budget.quota is not None:
        return reopened
    if budget.pace is not None:
        is_long = closed >= constants.PERIOD_OF_GROWTH_SECONDS and 0.0 < in_cycle < budget.pace
        return (
            reopened
            if not is_long
            else _start_pace(reopened, in_cycle, closed, now, evidence=constants.EVIDENCE_ENOUGH)
        )
    elapsed = max(1.0, budget.not_before - budget.epoch_at)
    if budget.refused < constants.REFUSALS_TO_LEARN or budget.served < 1:
        return reopened
    if elapsed > constants.LONGEST_LEARNED_SECONDS:
        return replace(reopened, pace=None, epoch_at=now, served=0.0, refused=0)
    return _start_pace(reopened, max(budget.served / elapsed, in_cycle), closed, now, evidence=budget.served)


def _start_pace(budget: Budget, pace: float, closed: float, now: float, *, evidence: float) -> Budget:
    pace = max(constants.SLOWEST_PACE, pace)
    # The waits of the first refusals miss the end of their reason by up to as much again.
    limit = pace if budget.pace is not None else pace * constants.LEARNED_LOW
    hold = constants.FIRST_HOLD_SECONDS * min(1.0, evidence / constants.EVIDENCE_ENOUGH)
    return replace(
        budget,
        pace=pace,
        limit_pace=limit,
        period=min(max(budget.period, closed), constants.LONGEST_LEARNED_SECONDS),
        next_at=now + 1.0 / pace,
        evidence=evidence,
        hold=constants.HOLD_SECONDS / 2,
        grow_at=now + hold,
        epoch_at=now,
        served=0.0,
        refused=0,
    )


def count_answers(budget: Budget, report: Report) -> Budget:
    """Count answers by whether the pace was above or below half of the one that was refused first."""
    served, refused = report.served + report.late_served, report.refused + report.late_refused
    known = replace(budget, recent=_add(budget.recent, served, refused, constants.RECENT_ANSWERS))
    if budget.pace is None or budget.judged_pace is None or budget.pace > constants.SLOWER * budget.judged_pace:
        known = replace(known, fast=_add(budget.fast, served, refused, constants.JUDGED_ANSWERS))
        is_limit = _is_limit(known.recent, known.slow)
    else:
        known = replace(known, slow=_add(budget.slow, served, refused, constants.JUDGED_ANSWERS))
        is_limit = _is_limit(known.recent, known.fast)
    return replace(known, judged_pace=None, fast=Answers(), slow=Answers()) if is_limit else known


def _is_limit(recent: Answers, other: Answers) -> bool:
    """Whether so many requests are refused, or so many more than at the other paces, that only a limit explains it."""
    if recent.count < constants.ANSWERS_TO_JUDGE or recent.refused < constants.REFUSALS_TO_JUDGE:
        return False
    if recent.share > constants.UNEXPLAINED_SHARE:
        return True
    # One more by chance.
    expected = (other.refused + 1.0) / max(1.0, other.count)
    return other.count >= constants.ANSWERS_TO_JUDGE and recent.share > constants.SAME_SHARE * expected


def _add(answers: Answers, served: int, refused: int, most: float) -> Answers:
    served_now, refused_now = answers.served + served, answers.refused + refused
    kept = min(1.0, most / max(1.0, served_now + refused_now))
    return Answers(served=served_now * kept, refused=refused_now * kept)


def _is_unexplained(budget: Budget) -> bool:
    """Whether refusals do not follow the pace: at half of it about as many are refused."""
    fast, slow = budget.fast, budget.slow
    if min(fast.count, slow.count) < constants.ANSWERS_TO_JUDGE or not fast.refused or not slow.refused:
        return False
    return 1 / constants.SAME_SHARE <= slow.share / fast.share <= constants.SAME_SHARE


def try_more(budget: Budget, report: Report, now: float) -> Budget:
    """Try a faster pace, once the last one was kept long enough, and requests wait for it."""
    # A process that sends one by one never wants more than its grant: that it had to wait shows more demand.
    is_held_back = report.is_full or report.wanted > report.in_flight
    if budget.pace is None or now <= budget.grow_at or not is_held_back:
        return budget
    # By the time that has passed, up to one beat: served requests are as rare as the pace is slow.
    seconds = min(now - budget.grow_at, max(1.0, 1.0 / budget.pace))
    tried, pace = budget, budget.pace
    while seconds > 0:
        # In steps: growth itself grows with the distance.
        pace *= _choose_growth(tried, report) ** min(1.0, seconds)
        tried, seconds = replace(tried, pace=pace), seconds - 1.0
    if budget.limit_pace is not None and pace > constants.FORGOTTEN_AT * budget.limit_pace:
        return replace(budget, pace=None, limit_pace=None, period=1.0)
    return replace(budget, pace=pace, grow_at=now)


def _choose_growth(budget: Budget, report: Report) -> float:
    """Try more sooner, the less was served when the pace was learned: a lone request doubles it each second.

    So does an upstream that says that there is room.
    """
    growth = _compute_growth(budget)
    if report.has_room:
        return 2.0
    if _is_unexplained(budget):
        return 1.0 + constants.FASTEST_GROWTH
    if budget.evidence < constants.EVIDENCE_ENOUGH:
        return max(growth, math.exp2(1.0 / max(1.0, budget.evidence) ** 2))
    return growth


def _compute_growth(budget: Budget) -> float:
    """Compute by how much a pace grows in a second: the nearer to where it was refused, the slower."""
    assert budget.pace is not None
    away = abs(budget.pace / (budget.limit_pace or budget.pace) - 1.0)
    growth = max(constants.SLOWEST_GROWTH, min(constants.FASTEST_GROWTH, constants.GROWTH_BY_DISTANCE * away))
    return math.pow(1.0 + growth, 1.0 / _scale(budget))


def _scale(budget: Budget) -> float:
    return max(1.0, budget.period / constants.PERIOD_OF_GROWTH_SECONDS)
