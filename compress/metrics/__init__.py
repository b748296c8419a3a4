"""How good answers are: one metric a file, named in YAML by the file's name. Higher is better.

A metric takes the predicted class numbers and the right ones, each (n,), and gives one number. It may take `weights` too,
(draws, n), how often each row counts in each of many draws, and give as many numbers: the gate then judges it in no time.
One that judges other answers than class numbers says which in an attribute `reads` (`Task.answers` of the data room).
"""
