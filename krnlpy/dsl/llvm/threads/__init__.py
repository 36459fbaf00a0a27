"""The loops that do the work of threads: over items, and over the threads of a group, masked where they diverge."""
