"""Training data: corpora, preparation, feature stores, batches."""
