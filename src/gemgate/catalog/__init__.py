"""What is known of models; knowledge, not a gate."""
