"""Published runs and the pretrained models that come with the package."""
