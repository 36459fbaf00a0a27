"""From IR to plain Python: the executable definition of the language."""
