"""Runs many engines for one haul: on the cores of this machine."""
