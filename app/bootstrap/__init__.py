"""Build what a process needs out of its settings: the concrete class of each role is named here."""
