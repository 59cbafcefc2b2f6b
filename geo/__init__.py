"""Geography of wards: editions, assignment, maps. Knows nothing of hotspots."""
