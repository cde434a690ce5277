"""What the service counts of itself, and how Prometheus reads it."""
