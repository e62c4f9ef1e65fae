"""The files a new project starts from."""
