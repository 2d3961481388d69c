"""What steerway writes to Kubernetes: Events about objects that are not served, by the replica that holds the Lease."""
