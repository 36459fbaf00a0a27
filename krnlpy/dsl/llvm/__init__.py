"""From IR to LLVM IR, for the host."""
