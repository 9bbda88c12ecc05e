"""General parts of a server: HTTP, signatures, AWS's error bodies, folders, and the owner's life."""
