"""Measures Ferryman beside the floor, a bare view and its peers; docs/performance.md tells how and what came out."""
