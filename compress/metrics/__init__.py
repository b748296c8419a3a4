"""How good answers are: one metric a file, named in YAML by the file's name. Higher is better.

A metric takes the predicted class numbers and the right ones, each (n,), and gives one number.
One that judges other answers than class numbers says which in an attribute `reads` (`Task.answers` of the data room).
"""
