"""Speaking to AWS: connections, signing, credentials, and what its refusals mean.

Decisions
---------

Invoke and S3's data do not go through botocore's client
    They use its signers only. A small request costs a seventh of the processor time, the function needs no boto3, and
    client and function share one way of moving bytes (`connections.py`). boto3 finds credentials, region and endpoint,
    and makes all calls of the control plane.
"""
