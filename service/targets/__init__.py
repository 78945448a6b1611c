"""Several targets in one stream: their states, their searches, one network call for all."""
