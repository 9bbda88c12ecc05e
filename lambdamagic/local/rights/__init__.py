"""Which calls the policies of IAM allow."""
