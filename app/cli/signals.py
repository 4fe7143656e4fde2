"""How a command that owns other processes is told to end."""

import signal


def raise_interrupt_on_signals() -> None:
    """Make every request to end this process a KeyboardInterrupt, so that ``with`` blocks end what they began.

    SIGINT too: a shell that starts a command in the background has it ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
