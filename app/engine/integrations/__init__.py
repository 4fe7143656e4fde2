"""An integration's config, part by part: how one third-party API is called."""
