"""Signals that end a command with child processes."""

import signal


def raise_interrupt_on_signals() -> None:
    """Make every request to end this process a KeyboardInterrupt, so that ``with`` blocks end what they started.

    SIGINT too: a shell that starts a command in the background has it ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
