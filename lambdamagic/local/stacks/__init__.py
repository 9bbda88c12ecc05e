"""CloudFormation as AWS's behaves, in place of moto's; loaded with the first request for it."""
