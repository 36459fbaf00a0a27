"""The operations: kernels, rules, gradients, and the choice between host and device. One module a family."""
