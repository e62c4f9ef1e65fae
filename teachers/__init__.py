"""Anything that labels documents: recorded, remote or local."""
