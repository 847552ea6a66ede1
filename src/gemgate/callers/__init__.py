"""Our clients: who is asking."""
