"""Years of past jobs in one go: a file of jobs in, the same file with emissions out."""
