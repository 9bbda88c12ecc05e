"""Speaking to AWS: connections, signing, credentials, and what its refusals mean."""
