"""Others' software that does the same work, in processes of its own: what `krnlpy bench --peer` runs."""
