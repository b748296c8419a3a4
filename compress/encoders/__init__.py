"""Text encoders of every supported architecture: where their parts are, what they compute inside, how they are cut."""
