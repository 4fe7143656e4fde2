"""Who may call what, from where, and what every answer carries."""
