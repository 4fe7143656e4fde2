"""Cron triggers in Postgres."""
