"""The protocol between devices and those who use them, and what may stand in a backend's place."""
