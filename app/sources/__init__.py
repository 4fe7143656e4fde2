"""The read side: requests, transport, authentication, pagination."""
