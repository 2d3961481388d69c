"""Times of pages of the API over a large inventory."""
