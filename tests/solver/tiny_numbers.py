"""What a kernel asks a module for by name."""

ADDED = 0
