"""The HTTP operations, the use cases behind them, and the command line."""

PACKAGE_VERSION = "0.1.0"
"""The version of pyproject.toml; a test holds them together."""
