"""Pure decisions: no clock, no I/O, standard library only. Time is an argument, in ms since the epoch (UTC)."""
