"""The page at `/`, and the one call that it needs beside those that everybody has: the present of all zones."""
