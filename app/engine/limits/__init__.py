"""How many requests an account takes: budgets, retries, and what upstreams say of their limits."""
