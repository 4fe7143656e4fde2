"""What is shown of integrations: as tools, as capabilities, and within other objects."""
