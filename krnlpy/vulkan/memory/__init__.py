"""A device's memory: blocks handed out in pieces, and how bytes travel to and from it."""
