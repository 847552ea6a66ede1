"""What clients meet: each surface ties one format's codecs to the pipeline."""
