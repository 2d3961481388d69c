"""From TrafficPolicies, annotations and Service fields to the policy of a service."""
