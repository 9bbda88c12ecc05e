"""The contract between the client and the code in Lambda."""
