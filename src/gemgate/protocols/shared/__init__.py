"""What two formats need."""
