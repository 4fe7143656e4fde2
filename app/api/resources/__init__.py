"""What all routes share: the base of resources, views, and the services that they call."""
