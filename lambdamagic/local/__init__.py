"""The embedded Lambda: a local server that speaks the AWS APIs."""
