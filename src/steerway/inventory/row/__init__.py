"""The rows of the API. Times are in seconds; null is unknown. The id of an object is `NAMESPACE/NAME`."""
