"""How sure a number is: one formula a file, of numbers and arrays alone."""
