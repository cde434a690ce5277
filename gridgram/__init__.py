"""Gridgram's arithmetic: energy, carbon, time. No network, no await, no clock, no environment."""
