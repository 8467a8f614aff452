"""Pure rules: no I/O and no clock. Time and random numbers are parameters."""
