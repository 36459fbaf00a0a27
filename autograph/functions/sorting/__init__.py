"""Order: sorting, the greatest elements, searching in what is sorted, equal elements, and counts."""
