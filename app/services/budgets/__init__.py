"""The rate budgets of accounts, as a person looks at them and resets them."""
