"""From a Service object and its EndpointSlices to a service of the catalog."""
