"""Why a run does not progress, or is slow."""
