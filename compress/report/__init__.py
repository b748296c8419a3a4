"""What a run measured, the verdict on it, and the pages that show both."""
