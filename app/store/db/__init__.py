"""Connections, transactions, paging and migrations: what all repositories share."""
