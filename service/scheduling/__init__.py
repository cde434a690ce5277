"""Where and when a job emits least: schedules, rankings of regions, and the commands that wait for the best start."""
