"""What a run keeps on disk: artifacts with manifests, their fingerprints, and the lock of a run folder."""
