"""The rules of a charging network as pure values and functions: no I/O, clock or thread."""
