"""The demo: the shipped routes and mappings on the providers' doubles, with secrets of its own."""
