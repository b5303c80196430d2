"""What the published vectors are made of; ``scripts.make_vectors`` writes them."""
