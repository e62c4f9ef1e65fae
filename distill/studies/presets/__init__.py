"""Presets: the studies of the papers, as TOML."""
