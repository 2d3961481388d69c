"""Translation: catalog in, serialised xDS resources out."""
