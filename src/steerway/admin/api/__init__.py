"""JSON under `/api/v1`: HTTP routes and the values that they return."""
