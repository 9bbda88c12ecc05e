"""One run from request to end: what cells, maps, executors, pools and attached jobs share."""
