"""Which calls the policies of IAM allow; loaded with the first key that is not the owner's."""
