"""The world around a measurement, each server a process of its own."""
