"""How sure a number is: formulas of statistics, one a file. Pure numpy and scipy.special."""
