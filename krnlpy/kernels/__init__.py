"""From a call of a kernel to a dispatch: its arguments, what is fixed of its launches, the plan."""
