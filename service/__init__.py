"""The HTTP operations, the use cases behind them, and the command line."""
