"""How notifications are sent: as Slack takes them, by mail, as a signed event."""
