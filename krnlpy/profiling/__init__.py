"""What a device did, how long each piece took, and reports of it."""
