"""Counters: lines and zones turn tracks into count events."""
