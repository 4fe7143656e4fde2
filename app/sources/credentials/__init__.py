"""OAuth tokens: requested from token endpoints, and cached in this process."""
