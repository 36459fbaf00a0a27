"""The pool of threads in LLVM IR: what runs the ranges of a launch, without Python."""
