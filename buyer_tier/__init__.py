"""The command line: one entrance for the data scientist, the after-sale system and the risk analyst."""
