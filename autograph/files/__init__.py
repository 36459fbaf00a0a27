"""Files of models and training state: written whole, read without executing anything."""
