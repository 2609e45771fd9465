"""Audio files: read, write, resample, measure levels, cut into pieces, plot."""
