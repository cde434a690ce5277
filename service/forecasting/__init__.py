"""What the next hours will be: forecasts, how good they were, and back-tests."""
