"""The steps of a run: typed functions that read artifacts and write one."""
