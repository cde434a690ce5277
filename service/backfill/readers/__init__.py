"""One file a format of job logs; each has a `READER` and is found by being here."""
