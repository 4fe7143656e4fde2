"""Order and transactions: plain arguments in, values out."""
