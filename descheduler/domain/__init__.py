"""The frozen values everything else speaks of; standard library only, no I/O, no clock."""
