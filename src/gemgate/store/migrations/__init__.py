"""SQL that brings a database to the newest shape, one numbered file a step."""
