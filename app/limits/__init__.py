"""Rate budgets of accounts, and counts of tokens' requests, in Redis or in this process."""
