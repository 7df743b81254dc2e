"""The command line: one module for each verb; it parses arguments and renders results, nothing else."""
