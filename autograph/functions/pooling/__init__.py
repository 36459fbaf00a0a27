"""What a window makes of its elements: the greatest, the mean; and its gradient."""
