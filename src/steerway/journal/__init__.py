"""The journal: what this replica published, and what its clients refused, as a bounded list ordered by time."""
