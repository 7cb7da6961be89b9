"""The terminal interface. Everything it does is also available as a command."""
