"""What clients must be told: catalog in, serialised xDS resources out."""
