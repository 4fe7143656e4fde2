"""What users define: integrations, jobs, templates, environments, tokens, states."""
