"""The write side: the records table and the webhook."""
