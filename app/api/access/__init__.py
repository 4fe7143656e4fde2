"""Authentication, roles, allowed origins, and the headers of every answer."""
