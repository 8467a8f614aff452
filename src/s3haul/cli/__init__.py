"""The command line: one module for each command, its flags and its output.
Only this package and `progress` print."""
