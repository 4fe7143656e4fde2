"""The parts of a request, each as it is sent."""
