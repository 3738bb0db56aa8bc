"""What is particular about some providers' signatures: a few lines each over the primitives."""
