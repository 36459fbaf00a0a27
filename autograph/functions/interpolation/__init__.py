"""Weighted sums of neighbours along axes: other sizes of signals, images and volumes."""
