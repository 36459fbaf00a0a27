"""Captured work as fewer commands: the same bits from fewer kernels, without copies, in less memory."""
