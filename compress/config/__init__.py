"""What the user asks for: the pipeline file, the cards it names, and every mistake in them at once."""
