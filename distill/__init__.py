"""The ground floor: documents, labels, alignment, scores, files. No torch, no network."""
