"""One HTTP exchange with an upstream as values: request, answer, fault, and what is masked of them."""
