"""Every constant of rate limiting, with its reason or source; docs/rate-limits.md shows those that users meet.

``tests/unit/sources/limiter/test_account_gate.py`` tries them together, on simulated upstreams and fleets of processes.
"""

from typing import Final

# What an upstream says in its headers (``limits.headers``, ``limits.retry``)
LONGEST_BELIEVED_SECONDS: Final = 24 * 3600.0
"""The longest usual quota is a day's: a longer wait is a mistake, such as a reset in 2099."""
LONGEST_WAIT_SECONDS: Final = 3600.0
"""After this long one request tries again whatever was said, since most limits are an hour's or less."""
SAME_CLOCK_SECONDS: Final = 2.0
"""The ``Date`` header has whole seconds, and the answer takes time: a smaller difference of clocks is ignored."""
SAME_RESET_SECONDS: Final = 0.5
"""Resets in whole seconds that differ by less are those of one quota: answers overtake each other."""

# The window: how many requests may be in flight (``limits.budget``)
LEASE_SECONDS: Final = 3.0
"""Three reports (``RENEW_SECONDS``): a process that has missed them was killed, and its part is free."""
CLOCK_JUMP_SECONDS: Final = 2.0
"""A budget that was saved so far in the future is of another clock: a new one is started."""

# Waits after a refusal that names none (``limits.budget``)
FIRST_WAIT_SECONDS: Final = 1.0
"""The most common unit of a limit; doubled by each further refusal."""
LONGEST_UNNAMED_WAIT_SECONDS: Final = 64.0
"""Just over a minute, the next common unit."""
LONGEST_DEFAULT_WAIT_SECONDS: Final = 1800.0
"""Of waits that begin with ``default_wait_seconds``: well below ``BUDGET_KEPT_SECONDS``, which removes the count."""

# Learning a pace (``limits.budget``)
PACE_MARGIN: Final = 0.95
"""Of a configured limit: what is sent evenly does not arrive evenly."""
START_AHEAD_SECONDS: Final = 0.25
"""How far ahead starts are granted: some reports of a busy process (``FULL_REPORT_SECONDS``)."""
EPOCH_SECONDS: Final = 20.0
"""How far back what was served of a known pace counts; two of the usual ``HOLD_SECONDS``."""
BURST_SECONDS: Final = 2.0
"""The same without a pace: a limit is learned from what came right before it was hit."""
REFUSALS_KEPT_SECONDS: Final = 30.0
"""Refusals further apart are of different bursts."""
REFUSALS_TO_LEARN: Final = 2
"""A single refusal may be one of a busy server."""
LONGEST_LEARNED_SECONDS: Final = 120.0
"""A limit that lasts longer is not spread evenly: its requests are used when there is work."""
MEASURED_SECONDS: Final = 1.0
"""A shorter time says nothing of how much is served per second."""
EVIDENCE_ENOUGH: Final = 5.0
"""A pace that was learned from so many served requests is believed: one or two say how few were sent."""
SLOWEST_PACE: Final = 1 / 60
"""One request per minute, by which a wrong pace is found out in time."""
CUT: Final = 0.98
"""A refusal cuts a pace by at least 2 %: it is found near the limit (``SLOW_GROWTH``)."""
DEEPEST_CUT: Final = 0.7
"""Of a pace that was cut just before, and refused all the same."""
RECENT_ANSWERS: Final = 20.0
"""By so many answers it is judged whether refusals are too frequent to have another reason than the pace."""
ANSWERS_TO_JUDGE: Final = 12.0
"""Fewer say nothing of a share."""
REFUSALS_TO_JUDGE: Final = 4.0
"""Fewer may come together by chance."""
UNEXPLAINED_SHARE: Final = 0.4
"""More are refused only for their pace; who is refused less sends less than twice the limit."""
SLOWER: Final = 0.5
"""Of the pace that was refused."""
JUDGED_ANSWERS: Final = 60.0
"""Of one request of twenty that is refused these are three."""
SAME_SHARE: Final = 2.0
"""Shares of so few answers differ by as much, by chance."""
HOLD_SECONDS: Final = 10.0
"""How long a pace is kept before more is tried; doubled where the limit is found at the same place."""
HOLD_PERIODS: Final = 2.0
"""And so many times as long as the limit counts: in each trial some requests are refused."""
FIRST_HOLD_SECONDS: Final = 3.0
"""The same of a pace that was only just learned."""
LONGEST_HOLD_SECONDS: Final = 60.0
SLOWEST_GROWTH: Final = 0.005
"""A second, where the limit was found last: one of a second shows before the pace is 1 % above it."""
FASTEST_GROWTH: Final = 0.1
"""A limit that was doubled is found in half a minute."""
GROWTH_BY_DISTANCE: Final = 0.25
"""A second, of the distance to where the limit was found last."""
SECONDS_TO_SEE: Final = 2.0
"""How long a pace has been too fast, at most, when it is refused, if the limit is one of a second."""
LEARNED_LOW: Final = 0.8
"""Of a pace that was only just learned, the part of which it is sure: it grows fast until it is refused."""
PERIOD_OF_GROWTH_SECONDS: Final = 6.0
"""All growth is slower for limits that count longer: they show only when their time is over."""
CLOSED_SHARE: Final = 0.1
"""Of the time between two refusals: then the limit was used up, and what was served in it says how high it is."""
SHORT_WAITS: Final = 12
"""So many refusals in a row are met with waits that fit the period of the limit."""
WAITS_PER_PERIOD: Final = 5
FORGOTTEN_AT: Final = 8.0
"""A pace that has grown to so many times the last known limit says nothing any more."""

# One process's part of the budget (``sources.limiter``)
LONGEST_WAIT_IN_PLACE_SECONDS: Final = 5.0
"""As long as a slice (``FERRYMAN_SLICE_SECONDS``): for a longer wait the unit sleeps in Postgres."""
RENEW_SECONDS: Final = 1.0
"""How often a process reports at the least."""
GROWING_REPORT_SECONDS: Final = 0.02
"""How often while requests wait and the window may grow: about a fast round trip."""
FULL_REPORT_SECONDS: Final = 0.1
"""How often while requests wait and nothing but another process's report can change that."""
SHORTEST_REPORT_SECONDS: Final = 0.005
"""Refusals are reported at once, but not in a busy loop."""
SHORT_PAUSE_SECONDS: Final = 0.05
"""How long a process sends nothing after a refusal, until the budget's answer is there."""
PACED_AHEAD_SECONDS: Final = 2.0
"""How many seconds of a pace callers may prepare requests for."""
IDLE_SECONDS: Final = 0.25
"""A pause after which requests are a burst of their own, by which a limit is learned."""
LINGER_SECONDS: Final = 1.0
"""How long a process keeps its part after its last request: the next page mostly follows."""
START_EARLIER_SECONDS: Final = 0.15
"""A paced process asks for its next part so long before it may send: an exchange takes a few milliseconds."""
SPARE_SECONDS: Final = 0.05
"""How long a part is unused before it is released: a moment between two requests is not enough."""
LONGEST_ROUND_SECONDS: Final = 1.0
"""Of slow start: one slow answer of a round does not hold the next round up for longer."""
SWAP_ATTEMPTS: Final = 4
"""Of a compare-and-set; who loses so often in a row goes on with what it knows until its next report."""
CLOCK_KEPT_SECONDS: Final = 60.0
"""How long the distance to the store's clock is believed: another machine may be the store by then."""
LOCAL_BUDGETS: Final = 10_000
"""Accounts in the memory of a process without a Redis, about 1 KB each."""

# Latency as a sign of congestion, and requests that are sent twice (``sources.limiter``)
LATENCY_BUCKET_SECONDS: Final = 30.0
"""The least latency of the last one or two of these is what an upstream can do."""
LATENCY_SAMPLES: Final = 8
"""The median of so many answers is judged: a single slow one means nothing."""
STEADY_RATIO: Final = 2.0
"""Above it the window does not grow: requests wait upstream about as long as they are worked on."""
STEADY_EXCESS_SECONDS: Final = 0.1
"""A ratio of two fast answers is noise."""
SLOW_RATIO: Final = 4.0
"""Above it the window is halved."""
SLOW_EXCESS_SECONDS: Final = 0.25
OVERLOAD_REMEMBERED: Final = 64
"""As many as may be in flight to one account."""
OVERLOADS: Final = 2
"""A single 503 may be that of a worker that was restarted."""
OVERLOAD_SHARE: Final = 0.05
"""Many APIs answer one request of a hundred with a 503, however few come: halved for each, a window stays below 15."""
HEDGING_ANSWERS: Final = 20
"""Before so many answers it is not known what is late."""
HEDGING_REMEMBERED: Final = 64
"""As many as may be in flight to one account."""
HEDGING_QUANTILE: Final = 0.9
HEDGING_FACTOR: Final = 3.0
"""An answer is late after three times what nine of ten take ("The Tail at Scale", Dean and Barroso, 2013)."""
HEDGING_SHORTEST_SECONDS: Final = 0.3
"""Nobody notices a shorter delay."""

# Pages that are requested ahead of their turn (``sources.read_ahead``)
REACH: Final = 4
"""How many pages ahead are requested for each concurrent request, at most."""

# Warnings in the log (``sources.limiter.warnings``)
SLOW_ANSWER_SECONDS: Final = 5.0
"""An answer that takes as long as a slice is worth a warning."""
QUIET_SECONDS: Final = 30.0
"""A warning of one kind is not repeated sooner."""

# Redis (``app.limits``)
BUDGET_KEPT_SECONDS: Final = 3600
"""Without a request for an hour, the longest common window, what was learned of an account is removed."""
BUDGET_TIMEOUT_SECONDS: Final = 0.5
"""Of an exchange, which happens in the background; without it each process goes on with budgets of its own."""
BUDGET_AWAY_SECONDS: Final = 2.0
"""How long Redis is left alone after it did not answer."""
REQUESTS_TIMEOUT_SECONDS: Final = 0.2
"""Of counting an API request, which waits for it."""
REQUESTS_PROBE_SECONDS: Final = 1.0
"""How often one request tries whether Redis is back."""
LOCAL_WINDOWS: Final = 1000
"""Windows in the memory of an API process without a Redis, before those that are over are removed."""
