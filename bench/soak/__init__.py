"""Hours in minutes: whether steerway is after a long time of churn and abuse what it was before."""
