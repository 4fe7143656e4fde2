"""The demo: a sample upstream, a webhook receiver, and a program that runs Ferryman between the two."""
