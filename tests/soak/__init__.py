"""Long runs: ``python -m tests.soak --minutes 10`` lets threads do what they like with devices, and compares with
NumPy; ``python -m tests.soak --leaks`` counts what is left of many launches, allocations, devices and pipelines."""
