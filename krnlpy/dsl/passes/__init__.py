"""What is found out of a program, and programs rewritten."""
