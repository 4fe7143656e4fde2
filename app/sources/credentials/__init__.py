"""OAuth tokens: asked for, and kept by this process."""
