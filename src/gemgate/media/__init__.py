"""Images, sounds, films and documents on their way to the model."""
