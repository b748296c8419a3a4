"""What is cut out of a student: scores of its units, and the choice of those that go."""
