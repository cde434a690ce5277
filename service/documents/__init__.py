"""The documents at /docs: a site that was built beforehand (`make site`) and is only sent here."""
