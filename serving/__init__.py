"""The online service: scores and decisions over HTTP, stored before they are answered."""
