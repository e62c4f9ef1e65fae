"""Compact BERT token classifiers: encode, train, export, and run without torch."""
