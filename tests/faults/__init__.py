"""Faults, made on purpose: ``python -m tests.faults`` makes every Vulkan call of a workload fail with every code that
it can return, and prints what came of it.

- :mod:`.layer` stands between krnlpy and Vulkan: it counts calls and living objects, and fails the call it is told to.
- :mod:`.codes` says which codes a function can return.
- :mod:`.workload` uses all of the runtime once.
- :mod:`.campaign` runs the workload once for each fault and judges it.
"""
