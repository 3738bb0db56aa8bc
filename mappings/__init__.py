"""The mapping language: one typed thing into another, compiled from YAML to one Python function."""
