"""Integrated accounts, their credentials and their tenants, in Postgres."""
