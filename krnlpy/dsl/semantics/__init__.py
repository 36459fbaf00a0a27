"""What operations mean on Python's numbers: what every target must give."""
