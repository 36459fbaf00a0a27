"""Reports of benchmarks as people read them: tables, files for other programs, pages, comparisons, submissions."""
