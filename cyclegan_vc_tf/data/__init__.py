"""Training data: public corpora, preparation of features, feature stores, batches."""
