"""Commands recorded and submitted in batches: barriers where needed, waiting, timestamps."""
