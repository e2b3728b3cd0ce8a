"""The log, in memory and on SQLite, behind one small port (``engine.store.log``)."""
