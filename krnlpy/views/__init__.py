"""What a launch knows of a buffer: shapes, strides and offsets, and their arithmetic."""
