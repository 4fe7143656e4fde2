"""The rate budgets that daemons share."""
