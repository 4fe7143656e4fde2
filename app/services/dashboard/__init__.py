"""Who looks at the dashboard, and what is shown there alone."""
