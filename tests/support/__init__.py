"""What the tests stand on: real servers that obey a test, and short ways to speak to Ferryman."""
