"""One file per upstream source, and the one engine that does all waiting for them."""
