"""What others read without asking the API: Prometheus' lines of the grid, and Kubernetes' map of what is ahead."""
