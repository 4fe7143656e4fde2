"""An account's status, tokens and secrets, and the origins that may receive them."""
