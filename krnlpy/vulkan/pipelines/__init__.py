"""From a program to a dispatch: pipelines, descriptors, and what is known of drivers' defects."""
