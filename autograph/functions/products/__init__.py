"""Products of matrices and of tensors of any rank."""
