"""What users describe: integrations, jobs, templates, environments, tokens, states."""
