"""Why a run does not go on, or goes on slowly."""
