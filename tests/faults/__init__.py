"""What happens when something breaks: real servers and processes, frozen, cut and killed, and every answer computed again."""
