"""Audio files: read, write, resample, measure levels, segment, plot."""
