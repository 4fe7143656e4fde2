"""What stands around integrations and accounts: tenants, and the objects that are embedded in others."""
