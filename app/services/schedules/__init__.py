"""Cron triggers, and the runs that they make."""
