"""The demonstration: a sample upstream, a webhook receiver, and a program that shows Ferryman between the two."""
