"""The life-cycle footprint: what comes in, what goes out, and the report."""
