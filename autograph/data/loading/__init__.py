"""From a data set to batches on a device: what is read, in which order, by which threads."""
