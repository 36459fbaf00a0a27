"""From the loader's library to an opened device: drivers, descriptions, what can be used and why not."""
