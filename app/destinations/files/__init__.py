"""Records as files in object stores and folders, and manifests that name what is complete."""
