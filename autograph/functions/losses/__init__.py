"""How far predictions are from what they should be: losses, as numbers to train by, and the share that is right."""
