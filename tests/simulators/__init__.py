"""Ticket systems on loopback, as hostile as the real ones. `http` serves them, `faults` breaks their answers."""
