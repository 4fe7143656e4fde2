"""Postgres: tables, one repository per aggregate, migrations."""
